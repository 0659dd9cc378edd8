#include "penstock/store/range.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace penstock::store {
namespace {

[[noreturn]] void refuse(std::string_view location, std::uint64_t object_bytes, std::string_view why) {
  throw Error{
      Kind::refused,
      fmt::format("cannot read that range of {}, which has {} bytes: {}", location, object_bytes, why),
      {.side = Side::source, .doing = "get", .subject = std::string{location}, .code = "range"}};
}

}  // namespace

Extent resolve(const Range& range, std::uint64_t object_bytes, std::string_view location) {
  if (range.suffix) {
    if (range.first || range.last) refuse(location, object_bytes, "a suffix stands alone");
    if (*range.suffix == 0 || object_bytes == 0) refuse(location, object_bytes, "no byte is in it");
    std::uint64_t bytes = std::min(*range.suffix, object_bytes);
    return {object_bytes - bytes, bytes};
  }
  std::uint64_t first = range.first.value_or(0);
  if (range.last && *range.last < first) refuse(location, object_bytes, "it ends before it begins");
  if (first >= object_bytes) refuse(location, object_bytes, "it begins past the end");
  std::uint64_t last = std::min(range.last.value_or(object_bytes - 1), object_bytes - 1);
  return {first, last - first + 1};
}

}  // namespace penstock::store
