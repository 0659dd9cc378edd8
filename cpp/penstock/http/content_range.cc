#include "penstock/http/content_range.h"

#include <charconv>
#include <vector>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::http {
namespace {

[[noreturn]] void corrupt(std::string_view what, std::string_view value) {
  throw Error(Kind::corrupt, std::string(what) + ": '" + redact_text(value, 200) + "'",
              Facts{.side = Side::source, .doing = "read the response head"});
}

// Digits only, all of them, within 64 bits.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!same_name(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string_view only_one(const Headers& headers) {
  const auto values = headers.all("Content-Range");
  if (values.empty()) corrupt("the answer is partial but has no Content-Range", "");
  if (values.size() > 1) corrupt("the answer has more than one Content-Range", values[1]);
  return values[0];
}

}  // namespace

ContentRange ContentRange::parse(std::string_view text) {
  std::string_view rest = text;
  const bool bytes = take_prefix(rest, "bytes ");
  const auto dash = rest.find('-'), slash = rest.find('/');
  if (!bytes || dash == rest.npos || slash == rest.npos || slash < dash)
    corrupt("Content-Range is not 'bytes first-last/total'", text);
  const auto first = number(rest.substr(0, dash));
  const auto last = number(rest.substr(dash + 1, slash - dash - 1));
  const auto total = number(rest.substr(slash + 1));
  if (!first || !last || !total) corrupt("Content-Range is not 'bytes first-last/total'", text);
  if (*first > *last || *last >= *total) corrupt("Content-Range contradicts itself", text);
  return {*first, *last, *total};
}

std::string ContentRange::text() const {
  return "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(total);
}

ContentRange content_range(const Headers& headers) {
  return ContentRange::parse(only_one(headers));
}

std::optional<std::uint64_t> unsatisfied_range_total(const Headers& headers) {
  if (!headers.has("Content-Range")) return std::nullopt;
  const std::string_view text = only_one(headers);
  std::string_view rest = text;
  const auto total = take_prefix(rest, "bytes */") ? number(rest) : std::nullopt;
  if (!total) corrupt("Content-Range of a 416 is not 'bytes */total'", text);
  return total;
}

std::optional<std::uint64_t> content_length(const Headers& headers) {
  std::optional<std::uint64_t> length;
  for (const std::string_view field : headers.all("Content-Length")) {
    for (std::size_t at = 0; at <= field.size();) {
      const std::size_t end = std::min(field.find(',', at), field.size());
      const auto value = number(trimmed(field.substr(at, end - at)));
      if (!value) corrupt("Content-Length is not a number", field);
      if (length && *length != *value) corrupt("Content-Length is given twice and differs", field);
      length = value;
      at = end + 1;
    }
  }
  return length;
}

std::optional<ByteRange> ByteRange::parse(std::string_view text) {
  if (!take_prefix(text, "bytes=")) return std::nullopt;
  const auto dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  const bool open = dash + 1 == text.size();
  if (!first || (!open && (!last || *last < *first))) return std::nullopt;
  return ByteRange{*first, last};
}

std::string ByteRange::text() const {
  return "bytes=" + std::to_string(first) + "-" + (last ? std::to_string(*last) : "");
}

}  // namespace penstock::http
