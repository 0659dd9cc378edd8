#include "penstock/files/origin_digests.h"

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/error.h"

namespace penstock::files {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

void add(std::vector<Digest>& digests, std::string_view algorithm, std::string_view value) {
  try {
    digests.push_back(Digest::parse(parse_algorithm(algorithm), value));
  } catch (const Error&) {
    // Foreign text that says nothing we can compare.
  }
}

// One member of Repr-Digest's dictionary: sha-256=:base64:
void add_member(std::vector<Digest>& digests, std::string_view member) {
  const auto equals = member.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view value = trim(member.substr(equals + 1));
  if (value.size() < 2 || value.front() != ':' || value.back() != ':') return;
  add(digests, trim(member.substr(0, equals)), value.substr(1, value.size() - 2));
}

void add_repr_digest(std::vector<Digest>& digests, std::string_view text) {
  while (!text.empty()) {
    const auto comma = text.find(',');
    add_member(digests, trim(text.substr(0, comma)));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
}

}  // namespace

std::vector<Digest> origin_digests(const http::Headers& headers) {
  std::vector<Digest> digests;
  if (const auto md5 = headers.find("content-md5")) add(digests, "md5", trim(*md5));
  for (const std::string_view text : headers.all("repr-digest")) add_repr_digest(digests, text);
  const bool composite = http::same_name(headers.get("x-amz-checksum-type"), "COMPOSITE");
  for (const char* algorithm : {"sha256", "sha1", "crc32", "crc32c", "crc64nvme"}) {
    const auto value = headers.find("x-amz-checksum-" + std::string{algorithm});
    if (value && !composite && value->find('-') == std::string_view::npos)
      add(digests, algorithm, trim(*value));
  }
  return digests;
}

}  // namespace penstock::files
