#include "penstock/s3/attributes.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "penstock/base/base64.h"
#include "penstock/base/error.h"
#include "penstock/http/content_range.h"
#include "penstock/http/http_date.h"
#include "penstock/http/url.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {
namespace {

constexpr std::string_view kMetaPrefix = "x-amz-meta-";
constexpr std::string_view kWordBegin = "=?UTF-8?B?";
constexpr std::string_view kWordEnd = "?=";
// RFC 2047 section 2: a word has at most 75 characters; 45 bytes are 60 in base64, 72 with the frame.
constexpr std::size_t kWordBytes = 45;
constexpr std::array<Algorithm, 5> kChecksums{Algorithm::crc64nvme, Algorithm::crc32c, Algorithm::crc32,
                                              Algorithm::sha256, Algorithm::sha1};

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_plain(std::string_view value) {
  if (value.starts_with(' ') || value.ends_with(' ') || value.find("=?") != value.npos) return false;
  return std::ranges::all_of(value, [](unsigned char c) { return c < 0x80; });
}

std::size_t word_length(std::string_view rest) {
  std::size_t length = std::min(rest.size(), kWordBytes);
  // Not inside a character: step back over continuation bytes.
  while (length < rest.size() && length > kWordBytes - 4 && (rest[length] & 0xC0) == 0x80) --length;
  return length;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string decode_q(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escaped = text[at] == '=' && at + 2 < text.size() && hex_value(text[at + 1]) >= 0 &&
                         hex_value(text[at + 2]) >= 0;
    if (escaped) {
      out += static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
      at += 2;
    } else {
      out += text[at] == '_' ? ' ' : text[at];
    }
  }
  return out;
}

// The text of the encoded word at the start of `rest`, and how long the word is; nullopt: no such word.
struct Word {
  std::string text;
  std::size_t length = 0;
};

std::optional<Word> read_word(std::string_view rest) {
  if (!lower(rest.substr(0, kWordBegin.size())).starts_with("=?utf-8?")) return std::nullopt;
  if (rest.size() < kWordBegin.size() || rest[kWordBegin.size() - 1] != '?') return std::nullopt;
  const std::size_t end = rest.find(kWordEnd, kWordBegin.size());
  if (end == rest.npos) return std::nullopt;
  const std::string_view body = rest.substr(kWordBegin.size(), end - kWordBegin.size());
  const char encoding =
      static_cast<char>(std::tolower(static_cast<unsigned char>(rest[kWordBegin.size() - 2])));
  if (encoding == 'q') return Word{decode_q(body), end + kWordEnd.size()};
  if (encoding != 'b') return std::nullopt;
  auto text = decode_base64(body);
  if (!text) return std::nullopt;
  return Word{std::move(*text), end + kWordEnd.size()};
}

void add_unless_empty(http::Headers& headers, const char* name, const std::string& value) {
  if (!value.empty()) headers.add(name, value);
}

std::string tagging(const std::map<std::string, std::string>& tags) {
  std::string text;
  for (const auto& [name, value] : tags) {
    if (!text.empty()) text += '&';
    text += http::percent_encode(name, false) + '=' + http::percent_encode(value, false);
  }
  return text;
}

void refuse_large_metadata(const http::Headers& headers, const Capabilities& row) {
  std::uint64_t bytes = 0;
  for (const auto& [name, value] : headers) {
    if (name.starts_with(kMetaPrefix)) bytes += name.size() - kMetaPrefix.size() + value.size();
  }
  if (bytes <= row.metadata_bytes) return;
  throw Error{Kind::refused, "user metadata of " + std::to_string(bytes) + " bytes is over the limit of " +
                                 std::to_string(row.metadata_bytes) +
                                 " (names and values, encoded, our token included); shorten it"};
}

std::uint64_t whole_bytes(const http::Headers& headers) {
  if (headers.has("content-range")) return http::content_range(headers).total;
  return http::content_length(headers).value_or(0);
}

void read_checksums(const http::Headers& headers, store::ObjectMeta& meta) {
  for (const Algorithm algorithm : kChecksums) {
    const std::string value = full_checksum(headers, to_string(algorithm));
    if (value.empty()) continue;
    meta.digests[std::string{to_string(algorithm)}] = Digest::parse(algorithm, value).hex();
  }
}

}  // namespace

http::Headers attribute_headers(const store::WriteOptions& options, const Capabilities& row,
                                std::string_view token) {
  http::Headers headers;
  add_unless_empty(headers, "content-type", options.content_type);
  add_unless_empty(headers, "content-encoding", options.content_encoding);
  add_unless_empty(headers, "content-disposition", options.content_disposition);
  add_unless_empty(headers, "cache-control", options.cache_control);
  add_unless_empty(headers, "x-amz-storage-class", options.storage_class);
  add_unless_empty(headers, "x-amz-server-side-encryption", options.sse);
  add_unless_empty(headers, "x-amz-server-side-encryption-aws-kms-key-id", options.kms_key_id);
  add_unless_empty(headers, "x-amz-tagging", tagging(options.tags));
  for (const auto& [name, value] : options.metadata) {
    headers.add(std::string{kMetaPrefix} + lower(name), encode_metadata(value));
  }
  if (!token.empty()) headers.add(std::string{kMetaPrefix} + std::string{kTokenName}, std::string{token});
  for (const auto& [name, value] : headers) http::check_header(name, value);
  refuse_large_metadata(headers, row);
  return headers;
}

void add_token_header(http::Headers& headers, std::string_view token, const Capabilities& row) {
  http::Headers with = headers;
  with.add(std::string{kMetaPrefix} + std::string{kTokenName}, std::string{token});
  refuse_large_metadata(with, row);
  headers = std::move(with);
}

void add_condition(http::Headers& headers, const store::Mode& mode) {
  if (mode.kind == store::Mode::Kind::create) headers.add("if-none-match", "*");
  if (mode.kind == store::Mode::Kind::if_match) headers.add("if-match", mode.etag);
}

store::ObjectMeta meta_from(const http::Headers& headers, std::string_view key) {
  store::ObjectMeta meta;
  meta.key = key;
  meta.bytes = whole_bytes(headers);
  meta.etag = headers.get("etag");
  meta.version_id = headers.get("x-amz-version-id");
  meta.last_modified = http::parse_http_date(headers.get("last-modified"));
  meta.content_type = headers.get("content-type");
  meta.content_encoding = headers.get("content-encoding");
  meta.content_disposition = headers.get("content-disposition");
  meta.cache_control = headers.get("cache-control");
  meta.storage_class = headers.get("x-amz-storage-class");
  for (const auto& [field, value] : headers) {
    const std::string name = lower(field);
    if (!name.starts_with(kMetaPrefix) || name.substr(kMetaPrefix.size()) == kTokenName) continue;
    meta.metadata[name.substr(kMetaPrefix.size())] = decode_metadata(value);
  }
  read_checksums(headers, meta);
  return meta;
}

std::string token_of(const http::Headers& headers) {
  return std::string{headers.get(std::string{kMetaPrefix} + std::string{kTokenName})};
}

std::string encode_metadata(std::string_view value) {
  if (is_plain(value)) return std::string{value};
  std::string out;
  while (!value.empty()) {
    const std::size_t length = word_length(value);
    if (!out.empty()) out += ' ';
    out += std::string{kWordBegin} + encode_base64(value.substr(0, length)) + std::string{kWordEnd};
    value.remove_prefix(length);
  }
  return out;
}

std::string decode_metadata(std::string_view value) {
  std::string out;
  bool after_word = false;
  while (!value.empty()) {
    // White space between two words is part of the coding, not of the text (RFC 2047 section 6.2).
    const std::size_t blanks = std::min(value.find_first_not_of(' '), value.size());
    const auto word = read_word(value.substr(blanks));
    if (!after_word || !word) out += value.substr(0, blanks);
    value.remove_prefix(blanks);
    if (word) {
      out += word->text;
      value.remove_prefix(word->length);
    } else if (!value.empty()) {
      out += value.front();
      value.remove_prefix(1);
    }
    after_word = word.has_value();
  }
  return out;
}

std::string s3_name(Algorithm algorithm) {
  std::string name{to_string(algorithm)};
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string full_checksum(const http::Headers& headers, std::string_view algorithm) {
  const std::string_view value = headers.get("x-amz-checksum-" + std::string{algorithm});
  const bool composite = headers.get("x-amz-checksum-type") == "COMPOSITE" || value.find('-') != value.npos;
  return composite ? std::string{} : std::string{value};
}

}  // namespace penstock::s3
