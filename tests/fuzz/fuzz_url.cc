// A URL is refused, or written and read again as the same URL; a Location leads to a URL or nowhere.
#include <algorithm>
#include <string>

#include "penstock/http/url.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

void check_url(const http::Url& url) {
  claim(url.scheme == "http" || url.scheme == "https", "the scheme is http or https");
  claim(!url.host.empty() && url.host.find_first_of("@/\\?#%[] ") == url.host.npos, "the host is a host");
  claim(url.port != 0, "the port is known");
  claim(url.path.starts_with('/') && printable(url.path) && printable(url.query), "no byte splits a request");
  const http::Url again = http::Url::parse(url.text());
  claim(again.text() == url.text() && again.origin() == url.origin() && !again.has_userinfo,
        "what is written is read back");
  claim(again.host == url.host && again.path == url.path && again.query == url.query, "part by part");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  static const http::Url base = http::Url::parse("https://base.example:8443/a/b;c?d");
  if (const auto url = fuzz::parsed([&] { return http::Url::parse(text); })) check_url(*url);
  if (const auto url = fuzz::parsed([&] { return http::resolve(base, text); })) check_url(*url);
  const std::string encoded = http::percent_encode(text, false);
  claim(http::percent_decode(encoded) == text, "percent coding goes both ways");
  claim(printable(encoded) && encoded.find('/') == encoded.npos, "encoded text is unreserved");
  return 0;
}
