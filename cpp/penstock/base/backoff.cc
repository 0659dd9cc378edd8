#include "penstock/base/backoff.h"

#include <algorithm>

namespace penstock {

std::chrono::milliseconds Backoff::before_retry(int n, std::chrono::milliseconds base) {
  auto ceiling = std::min(base, kCap);
  for (int doubled = 1; doubled < n && ceiling < kCap; ++doubled) ceiling = std::min(ceiling * 2, kCap);
  if (ceiling.count() <= 0) return std::chrono::milliseconds{0};
  return std::chrono::milliseconds{std::uniform_int_distribution<std::int64_t>{0, ceiling.count()}(random_)};
}

}  // namespace penstock
