#include "penstock/codecs/inflater.h"

#include <algorithm>
#include <limits>
#include <new>
#include <string>
#include <utility>

#define ZLIB_CONST
#include <zlib.h>

#include "penstock/base/error.h"

namespace penstock::codecs {
namespace {

uInt at_most(std::size_t bytes) {
  return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Inflater::State {
  z_stream zlib{};

  State() {
    if (inflateInit2(&zlib, -MAX_WBITS) != Z_OK) throw std::bad_alloc{};
  }
  State(const State& other) {
    if (inflateCopy(&zlib, const_cast<z_stream*>(&other.zlib)) != Z_OK) throw std::bad_alloc{};
  }
  State& operator=(const State&) = delete;
  ~State() { inflateEnd(&zlib); }
};

Inflater::Inflater() : state_(std::make_unique<State>()) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;
Inflater::Inflater(const Inflater& other) : state_(std::make_unique<State>(*other.state_)) {}
Inflater& Inflater::operator=(const Inflater& other) {
  if (this != &other) state_ = std::make_unique<State>(*other.state_);
  return *this;
}

InflateStep Inflater::run(Bytes in, MutableBytes out) {
  z_stream& zlib = state_->zlib;
  zlib.next_in = reinterpret_cast<const Bytef*>(in.data());
  zlib.avail_in = at_most(in.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = at_most(out.size());
  const uInt given = zlib.avail_in, room = zlib.avail_out;
  const int said = inflate(&zlib, Z_NO_FLUSH);
  if (said == Z_MEM_ERROR) throw std::bad_alloc{};
  const std::size_t made = room - zlib.avail_out;
  // Z_BUF_ERROR: nothing to do without more input or room, which is the caller's to see. What is good before
  // the damage comes out first; zlib says the same again when asked for more.
  if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR && made == 0) {
    throw Error{
        Kind::corrupt,
        std::string{"the compressed data are damaged: "} + (zlib.msg ? zlib.msg : "no dictionary is known"),
        {.side = Side::source, .doing = "inflate"}};
  }
  return {.taken = given - zlib.avail_in, .made = made, .ended = said == Z_STREAM_END};
}

void Inflater::restart() {
  inflateReset(&state_->zlib);
}

}  // namespace penstock::codecs
