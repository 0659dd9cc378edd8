#include "penstock/codecs/gzip_inflater.h"

#include <algorithm>
#include <limits>
#include <string>

#include <isa-l/igzip_lib.h>

#include "penstock/base/error.h"

namespace penstock::codecs {
namespace {

std::uint32_t at_most(std::size_t bytes) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(bytes, std::numeric_limits<std::int32_t>::max()));
}

std::string_view meaning(int said) {
  switch (said) {
    case ISAL_INVALID_BLOCK:
      return "no such block";
    case ISAL_INVALID_SYMBOL:
      return "no such symbol";
    case ISAL_INVALID_LOOKBACK:
      return "a repeat of what was before the beginning";
    case ISAL_INVALID_WRAPPER:
      return "the header of a member is wrong";
    case ISAL_UNSUPPORTED_METHOD:
      return "the header of a member names no method that is known";
    case ISAL_INCORRECT_CHECKSUM:
      return "a checksum or a length differs";
    default:
      return "no dictionary is known";
  }
}

}  // namespace

struct GzipInflater::State {
  inflate_state isal;

  State() {
    isal_inflate_init(&isal);
    isal.crc_flag = ISAL_GZIP;
  }
};

GzipInflater::GzipInflater() : state_(std::make_unique<State>()) {}
GzipInflater::~GzipInflater() = default;
GzipInflater::GzipInflater(GzipInflater&&) noexcept = default;
GzipInflater& GzipInflater::operator=(GzipInflater&&) noexcept = default;
// The state points at nothing but the buffers of the last call.
GzipInflater::GzipInflater(const GzipInflater& other) : state_(std::make_unique<State>(*other.state_)) {}
GzipInflater& GzipInflater::operator=(const GzipInflater& other) {
  if (this != &other) state_ = std::make_unique<State>(*other.state_);
  return *this;
}

InflateStep GzipInflater::run(Bytes in, MutableBytes out) {
  inflate_state& isal = state_->isal;
  isal.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
  isal.avail_in = at_most(in.size());
  isal.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  isal.avail_out = at_most(out.size());
  const std::uint32_t given = isal.avail_in, room = isal.avail_out;
  const int said = isal_inflate(&isal);
  if (said < ISAL_DECOMP_OK || said == ISAL_NEED_DICT) {
    throw Error{Kind::corrupt,
                "the compressed data are damaged: " + std::string{meaning(said)},
                {.side = Side::source, .doing = "inflate"}};
  }
  return {.taken = given - isal.avail_in,
          .made = room - isal.avail_out,
          .ended = isal.block_state == ISAL_BLOCK_FINISH};
}

void GzipInflater::restart() {
  isal_inflate_reset(&state_->isal);
  state_->isal.crc_flag = ISAL_GZIP;
}

}  // namespace penstock::codecs
