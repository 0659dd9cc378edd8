// zlib's inflate, which may be copied in the middle of a stream.
#pragma once

#include <cstddef>
#include <memory>

#include "penstock/base/bytes.h"

namespace penstock::codecs {

// Memory: about 40 KiB.
class Inflater {
 public:
  enum class Format { gzip, raw };  // raw: the deflate stream alone, as in a zip

  explicit Inflater(Format format);
  ~Inflater();
  Inflater(const Inflater& other);  // the same place in the same stream
  Inflater& operator=(const Inflater& other);
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  struct Step {
    std::size_t taken = 0, made = 0;
    bool ended = false;  // of one stream: for gzip one member, its checksum and length compared
  };
  // As much as `in` holds and `out` takes. Throws Error(corrupt) for what is no such stream.
  Step run(Bytes in, MutableBytes out);
  void restart();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::codecs
