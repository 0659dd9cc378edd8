// What a Source also is if all its bytes lie in memory and are few: no read of it waits, and none takes long.
#pragma once

namespace penstock {

class Held {
 protected:
  ~Held() = default;
};

}  // namespace penstock
