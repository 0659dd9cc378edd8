// zlib's deflate: the stream alone, as in a zip.
#pragma once

#include <cstddef>
#include <memory>

#include "penstock/base/bytes.h"

namespace penstock::codecs {

// Memory: about 270 KiB.
class Deflater {
 public:
  // 0..9, as zlib's. Throws Error(refused) for another.
  explicit Deflater(int level);
  static void check_level(int level);
  ~Deflater();
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;

  struct Step {
    std::size_t taken = 0, made = 0;
    bool ended = false;
  };
  // As much as `in` holds and `out` takes. `last`: no more comes after `in`; call until ended.
  Step run(Bytes in, MutableBytes out, bool last);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::codecs
