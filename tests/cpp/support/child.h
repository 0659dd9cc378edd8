// Work in a forked child: what it needs of memory, and that it ends.
#pragma once

#include <cstdint>
#include <functional>

namespace penstock::test {

struct ChildEnd {
  bool in_time = true;                  // it was not killed for taking too long
  int code = 0;                         // what `work` returned; -1: it died or threw
  std::uint64_t peak_growth_bytes = 0;  // of resident memory, over what it had at its beginning
};

// Runs `work` in a child, for at most so many seconds of wall time.
ChildEnd in_child(const std::function<int()>& work, unsigned seconds = 60);

}  // namespace penstock::test
