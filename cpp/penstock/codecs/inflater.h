// The deflate stream alone, as in a zip: zlib's inflate, which may be copied in the middle of a stream. It
// says to the byte where the stream ends, as what follows in a zip needs, and ISA-L does not.
#pragma once

#include <cstddef>
#include <memory>

#include "penstock/base/bytes.h"

namespace penstock::codecs {

struct InflateStep {
  std::size_t taken = 0, made = 0;
  bool ended = false;  // the stream
};

// Memory: about 40 KiB.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater& other);  // the same place in the same stream
  Inflater& operator=(const Inflater& other);
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  // As much as `in` holds and `out` takes. Throws Error(corrupt) for what is no such stream, once all that
  // came before it is out.
  InflateStep run(Bytes in, MutableBytes out);
  void restart();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::codecs
