// Bytes that look like nothing, the same ones for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace penstock::test {

std::string random_bytes(std::size_t size, std::uint64_t seed = 1);

}  // namespace penstock::test
