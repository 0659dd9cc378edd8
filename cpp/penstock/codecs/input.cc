#include "penstock/codecs/input.h"

#include <algorithm>
#include <utility>

namespace penstock::codecs {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;

std::ptrdiff_t place(std::size_t at) {
  return static_cast<std::ptrdiff_t>(at);
}

}  // namespace

bool Input::have(std::size_t bytes) {
  while (end_ - at_ < bytes) {
    if (at_ > 0) std::copy(buffer_.begin() + place(at_), buffer_.begin() + place(end_), buffer_.begin());
    end_ -= std::exchange(at_, 0);
    buffer_.resize(std::max({kInputBytes, bytes, buffer_.size()}));
    const std::size_t got = source_->read(std::span{buffer_}.subspan(end_));
    end_ += got;
    if (got == 0) return false;
  }
  return true;
}

void Input::take(std::size_t bytes) {
  at_ += bytes;
  taken_ += bytes;
}

bool all_zeros(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace penstock::codecs
