// A stream as text.
#pragma once

#include <cstddef>
#include <string>

#include "penstock/streams/source.h"

namespace penstock::test {

// Reads to the end through a buffer of `buffer_bytes`; asks once more, since an end stays an end.
std::string read_all(Source& source, std::size_t buffer_bytes = 64 * 1024);

}  // namespace penstock::test
