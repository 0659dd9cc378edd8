// What a Range means for an object of a known size.
#pragma once

#include <cstdint>

#include "penstock/store/object.h"

namespace penstock::store {

struct Extent {
  std::uint64_t offset = 0, bytes = 0;
};

// As RFC 9110 section 14.1.2: `last` past the end and a suffix longer than the object mean up to all of it.
// Error(refused, code range) where nothing is left: a first byte at or past the end, a suffix of 0, last
// before first, both first and suffix.
Extent resolve(const Range& range, std::uint64_t object_bytes, std::string_view location);

}  // namespace penstock::store
