#include "penstock/kv/key_value.h"

#include <algorithm>

#include <fmt/format.h>

#include "penstock/base/error.h"

namespace penstock::kv {
namespace {

Error too_large(std::string_view what, std::size_t bytes, std::uint64_t most) {
  return {Kind::refused,
          fmt::format("a {} of {} bytes: at most {} are taken", what, bytes, most),
          {.doing = fmt::format("check a {}", what), .code = std::string{code::kTooLarge}}};
}

void check_bound(std::string_view bound) {
  if (bound.size() > kMaxKeyBytes) throw too_large("key", bound.size(), kMaxKeyBytes);
}

}  // namespace

void check_key(std::string_view key) {
  if (key.empty()) throw Error{Kind::refused, "an empty key: give one of at least a byte"};
  check_bound(key);
}

void check_value(std::string_view value) {
  if (value.size() > kMaxValueBytes) throw too_large("value", value.size(), kMaxValueBytes);
}

void check_pattern(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) throw too_large("pattern", pattern.size(), kMaxPatternBytes);
}

void check_range(std::string_view start, const RangeOptions& options) {
  check_bound(start);
  if (options.end) check_bound(*options.end);
}

std::chrono::milliseconds bounded(std::chrono::milliseconds ttl) {
  constexpr std::chrono::milliseconds kCentury = std::chrono::hours{24 * 36'525};
  return std::min(ttl, kCentury);
}

void Gathered::add(std::string_view key, std::string_view value) {
  if (key.size() + value.size() > room()) refuse_large_range();
  bytes_ += key.size() + value.size();
  entries_.push_back({std::string{key}, std::string{value}});
}

void refuse_large_range() {
  throw Error{
      Kind::refused,
      fmt::format("the entries come to more than {} bytes; ask with a limit, and go on behind the last "
                  "key",
                  kMaxRangeBytes),
      {.doing = "read a range", .code = std::string{code::kTooLarge}}};
}

}  // namespace penstock::kv
