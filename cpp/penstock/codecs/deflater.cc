#include "penstock/codecs/deflater.h"

#include <algorithm>
#include <limits>
#include <new>

#include <fmt/format.h>
#define ZLIB_CONST
#include <zlib.h>

#include "penstock/base/error.h"

namespace penstock::codecs {
namespace {

constexpr int kUsualMemory = 8;  // zlib's own default

uInt at_most(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Deflater::State {
  z_stream zlib{};

  explicit State(int level) {
    if (deflateInit2(&zlib, level, Z_DEFLATED, -MAX_WBITS, kUsualMemory, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc{};
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { deflateEnd(&zlib); }
};

Deflater::Deflater(int level) {
  check_level(level);
  state_ = std::make_unique<State>(level);
}

void Deflater::check_level(int level) {
  if (level < 0 || level > 9)
    throw Error{
        Kind::refused, fmt::format("{} is no level of deflate: give 0 to 9", level), {.doing = "deflate"}};
}

Deflater::~Deflater() = default;
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;

Deflater::Step Deflater::run(Bytes in, MutableBytes out, bool last) {
  z_stream& zlib = state_->zlib;
  zlib.next_in = reinterpret_cast<const Bytef*>(in.data());
  zlib.avail_in = at_most(in.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = at_most(out.size());
  const uInt given = zlib.avail_in, room = zlib.avail_out;
  const bool all = given == in.size();
  const int said = deflate(&zlib, last && all ? Z_FINISH : Z_NO_FLUSH);
  return {.taken = given - zlib.avail_in, .made = room - zlib.avail_out, .ended = said == Z_STREAM_END};
}

}  // namespace penstock::codecs
