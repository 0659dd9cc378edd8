// The seed of a test that draws at random: PENSTOCK_TEST_SEED, or a new one; printed, so that a failure can
// be had again.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

namespace penstock::test {

inline std::uint32_t seed() {
  const char* const wanted = std::getenv("PENSTOCK_TEST_SEED");
  const auto drawn = wanted ? static_cast<std::uint32_t>(std::stoul(wanted))
                            : static_cast<std::uint32_t>(std::random_device{}());
  std::printf("PENSTOCK_TEST_SEED=%u\n", drawn);
  return drawn;
}

}  // namespace penstock::test
