// How long to wait before the next try: full jitter under an exponential ceiling.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace penstock {

// Source: AWS's standard retry mode: rand(0,1) * min(base * 2^(n-1), cap) before retry n.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds kCap{20'000};
  explicit Backoff(std::uint64_t seed = std::random_device{}()) : random_(seed) {}
  // n counts retries from 1.
  std::chrono::milliseconds before_retry(int n, std::chrono::milliseconds base);

 private:
  std::mt19937_64 random_;
};

}  // namespace penstock
