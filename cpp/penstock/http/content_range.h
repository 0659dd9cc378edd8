// How much of what an answer carries: Range, Content-Range and Content-Length, read strictly, because a
// resumed download trusts them with the file's bytes.
//
// Memory:  none beyond the values. Failure: Error(corrupt, side source) that quotes the header it could not
// trust.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/http/headers.h"

namespace penstock::http {

// `bytes first-last/total`: both ends included, first <= last < total.
struct ContentRange {
  std::uint64_t first = 0, last = 0, total = 0;

  // Strict: the unit `bytes` in any case, one space, digits, nothing around them. `bytes 0-1/*` is refused
  // too: without a total nobody can tell the object is still the same.
  static ContentRange parse(std::string_view text);
  std::string text() const;
  std::uint64_t size() const { return last - first + 1; }
  bool operator==(const ContentRange&) const = default;
};

// The one Content-Range of a 206. None, or more than one, is Error(corrupt).
ContentRange content_range(const Headers& headers);

// The total out of a 416's `bytes */T`; nullopt if the header is absent, Error(corrupt) if it says otherwise.
std::optional<std::uint64_t> unsatisfied_range_total(const Headers& headers);

// The body's length; nullopt if no Content-Length was sent. RFC 9110 section 8.6: the same number repeated,
// in one field or several, counts once; different numbers or anything but digits are Error(corrupt).
std::optional<std::uint64_t> content_length(const Headers& headers);

// What a request asks for: `bytes=first-` or `bytes=first-last`.
struct ByteRange {
  std::uint64_t first = 0;
  std::optional<std::uint64_t> last;

  // nullopt for the forms that cannot be resumed: several ranges, a suffix `bytes=-n`, other units.
  static std::optional<ByteRange> parse(std::string_view text);
  std::string text() const;
  bool operator==(const ByteRange&) const = default;
};

}  // namespace penstock::http
