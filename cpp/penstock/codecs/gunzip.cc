#include "penstock/codecs/gunzip.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/error.h"

namespace penstock::codecs {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;
constexpr std::byte kMagic[] = {std::byte{0x1f}, std::byte{0x8b}};

Error corrupt(std::string message, std::string_view code, std::uint64_t bytes_done) {
  return {Kind::corrupt,
          std::move(message),
          {.side = Side::source, .doing = "gunzip", .code = std::string{code}, .bytes_done = bytes_done}};
}

Error too_large(std::string message, std::uint64_t bytes_done) {
  return {Kind::refused,
          std::move(message),
          {.side = Side::source,
           .doing = "gunzip",
           .code = std::string{penstock::code::kTooLarge},
           .bytes_done = bytes_done}};
}

}  // namespace

Gunzip::Gunzip(Source& source) : Gunzip(source, Options{}) {}

Gunzip::Gunzip(Source& source, Options options) : source_(source), options_(options) {}

std::size_t Gunzip::read(MutableBytes buffer) {
  while (place_.inside || begin_member()) {
    const auto step = place_.inflater.run(unread(), buffer);
    take(step.taken);
    place_.inside = !step.ended;
    if (step.made > 0) return made(step.made);
    if (!step.ended && !have(1))
      throw corrupt(fmt::format("the gzip stream ends inside member {}, after {} inflated bytes",
                                place_.members, place_.bytes_out),
                    code::kTruncated, place_.bytes_out);
  }
  return 0;
}

// False at the end.
bool Gunzip::begin_member() {
  if (place_.ended) return false;
  if (place_.members > 0) skip_zeros();
  if (have(std::size(kMagic)) && std::ranges::equal(unread().first(std::size(kMagic)), kMagic)) {
    if (place_.members++ > 0) place_.inflater.restart();
    return place_.inside = true;
  }
  if (place_.members == 0) {
    const bool cut = !have(std::size(kMagic)) && (!have(1) || unread().front() == kMagic[0]);
    throw corrupt("this is no gzip stream: it does not begin with 1f 8b", cut ? code::kTruncated : "", 0);
  }
  if (have(1)) {
    if (!options_.ignore_trailing)
      throw corrupt(
          fmt::format("bytes follow the last gzip member, {} of the input are good", place_.bytes_in),
          code::kTrailing, place_.bytes_out);
    drop_rest();
  }
  place_.ended = true;
  return false;
}

void Gunzip::skip_zeros() {
  while (have(1) && unread().front() == std::byte{0}) take(1);
}

// To its end, where the source says whether it was whole.
void Gunzip::drop_rest() {
  while (have(1)) take(unread().size());
}

// Whether so many bytes are still to come; reads until they are here.
bool Gunzip::have(std::size_t bytes) {
  while (unread().size() < bytes) {
    auto& input = place_.input;
    input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(std::exchange(place_.at, 0)));
    const std::size_t kept = input.size();
    input.resize(kInputBytes);
    std::size_t got = 0;
    try {
      got = source_.read(std::span{input}.subspan(kept));
    } catch (...) {
      input.resize(kept);
      throw;
    }
    input.resize(kept + got);
    if (got == 0) return false;
  }
  return true;
}

void Gunzip::take(std::size_t bytes) {
  place_.at += bytes;
  place_.bytes_in += bytes;
}

std::size_t Gunzip::made(std::size_t bytes) {
  const Limits& limits = options_.limits;
  place_.bytes_out += bytes;
  if (place_.bytes_out > limits.total_bytes)
    throw too_large(fmt::format("the gzip stream inflates to more than {}", format_bytes(limits.total_bytes)),
                    place_.bytes_out);
  if (limits.ratio > 0 && place_.bytes_out > limits.ratio_from &&
      place_.bytes_out / limits.ratio > place_.bytes_in)
    throw too_large(fmt::format("the gzip stream inflates to more than {} times its size", limits.ratio),
                    place_.bytes_out);
  return bytes;
}

void Gunzip::mark() {
  source_.mark();
  marked_ = place_;
}

void Gunzip::rewind() {
  if (!marked_) throw std::logic_error("rewind() without mark()");
  source_.rewind();
  place_ = *marked_;
}

}  // namespace penstock::codecs
