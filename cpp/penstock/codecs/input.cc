#include "penstock/codecs/input.h"

#include <algorithm>
#include <utility>

namespace penstock::codecs {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;

}  // namespace

bool Input::have(std::size_t bytes) {
  while (unread().size() < bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(std::exchange(at_, 0)));
    const std::size_t kept = buffer_.size();
    buffer_.resize(std::max(kInputBytes, bytes));
    std::size_t got = 0;
    try {
      got = source_->read(std::span{buffer_}.subspan(kept));
    } catch (...) {
      buffer_.resize(kept);
      throw;
    }
    buffer_.resize(kept + got);
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
