// A member of a zip, compressed as it is read.
#pragma once

#include <cstdint>
#include <vector>

#include "penstock/codecs/deflater.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/source.h"

namespace penstock::codecs {

// What a zip says of a member's bytes.
struct ZipFacts {
  std::uint32_t crc32 = 0;
  std::uint64_t packed_bytes = 0, bytes = 0;
};

// Memory: 64 KiB of input and 270 KiB of deflate.
class ZipPacker : public Source {
 public:
  explicit ZipPacker(Source& content, int level = 6);
  explicit ZipPacker(Source&& content, int level = 6) = delete;

  std::size_t read(MutableBytes buffer) override;
  ZipFacts facts() const;  // of what was read so far; of the whole member at its end

 private:
  void fill();

  Source& content_;
  Deflater deflater_;
  Hasher crc32_{Algorithm::crc32};
  std::vector<std::byte> input_;
  std::size_t at_ = 0, filled_ = 0;
  std::uint64_t packed_bytes_ = 0, bytes_ = 0;
  bool last_ = false, ended_ = false;
};

}  // namespace penstock::codecs
