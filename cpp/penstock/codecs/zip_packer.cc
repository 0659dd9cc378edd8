#include "penstock/codecs/zip_packer.h"

#include "penstock/codecs/zip_format.h"

namespace penstock::codecs {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;

}  // namespace

ZipPacker::ZipPacker(Source& content, int level) : content_(content), deflater_(level), input_(kInputBytes) {}

std::size_t ZipPacker::read(MutableBytes buffer) {
  while (!ended_) {
    if (at_ == filled_ && !last_) fill();
    const auto step = deflater_.run(Bytes{input_}.subspan(at_, filled_ - at_), buffer, last_);
    at_ += step.taken;
    ended_ = step.ended;
    packed_bytes_ += step.made;
    if (step.made > 0) return step.made;
  }
  return 0;
}

void ZipPacker::fill() {
  at_ = filled_ = 0;
  filled_ = content_.read(input_);
  last_ = filled_ == 0;
  crc32_.update(Bytes{input_}.first(filled_));
  bytes_ += filled_;
}

ZipFacts ZipPacker::facts() const {
  return {.crc32 = zip::crc32_of(crc32_), .packed_bytes = packed_bytes_, .bytes = bytes_};
}

}  // namespace penstock::codecs
