// A header that passes splits nothing; a redirect leads to http(s) and takes no secret elsewhere.
// Input: the name up to the first ':', then the value; the value is also a Location.
#include <algorithm>
#include <string>

#include "penstock/http/headers.h"
#include "penstock/http/redirect.h"
#include "penstock/http/url.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

namespace {

bool splits(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

void check_redirect(std::string_view location) {
  http::Request request;
  request.url = "https://one.example/a/b?c";
  request.headers = {{"Authorization", "x"}, {"Accept", "y"}, {"X-Secret", "z"}};
  request.secret_headers = {"x-secret"};
  const http::Headers answer{{"Location", std::string(location)}};
  const auto next = fuzz::parsed([&] { return http::redirected(request, 302, answer, 0, 10); });
  if (!next || !*next) return;
  const http::Url to = http::Url::parse((*next)->url);
  claim(to.scheme == "https" && !to.has_userinfo, "https stays https, without a user");
  const bool same = to.origin() == "https://one.example:443";
  claim((*next)->headers.has("Authorization") == same, "credentials stay at their origin");
  claim((*next)->headers.has("X-Secret") == same && (*next)->headers.has("Accept"), "and so do secrets");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  const std::string_view value = text.substr(std::min(colon + 1, text.size()));
  const bool passes = fuzz::parsed([&] { return http::check_header(name, value), true; }).has_value();
  claim(!passes || (!name.empty() && !splits(name) && !splits(value)), "what passes splits nothing");
  claim(!passes || name.find_first_of(" \t\",/;<=>?@[\\]{}()") == name.npos, "the name is a token");
  check_redirect(value);
  return 0;
}
