#include "penstock/codecs/gunzip.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "penstock/base/error.h"

namespace penstock::codecs {
namespace {

constexpr std::byte kMagic[] = {std::byte{0x1f}, std::byte{0x8b}};
constexpr std::byte kReservedFlags{0xe0};

Error corrupt(std::string message, std::string_view code, std::uint64_t bytes_done) {
  return {Kind::corrupt,
          std::move(message),
          {.side = Side::source, .doing = "gunzip", .code = std::string{code}, .bytes_done = bytes_done}};
}

}  // namespace

Gunzip::Gunzip(Source& source) : Gunzip(source, Options{}) {}

Gunzip::Gunzip(Source& source, Options options)
    : source_(source), options_(options), place_{.input = Input{source}} {}

std::size_t Gunzip::read(MutableBytes buffer) {
  while (place_.inside || begin_member()) {
    const auto step = place_.inflater.run(place_.input.unread(), buffer);
    place_.input.take(step.taken);
    place_.inside = !step.ended;
    if (step.made > 0) {
      place_.bytes_out += step.made;
      check_inflated(options_.limits, place_.input.taken(), place_.bytes_out, "gunzip");
      return step.made;
    }
    if (!step.ended && !place_.input.have(1))
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
  Input& input = place_.input;
  if (input.have(std::size(kMagic)) && std::ranges::equal(input.unread().first(std::size(kMagic)), kMagic)) {
    check_flags();
    if (place_.members++ > 0) place_.inflater.restart();
    return place_.inside = true;
  }
  if (place_.members == 0) {
    const bool cut =
        !input.have(std::size(kMagic)) && (!input.have(1) || input.unread().front() == kMagic[0]);
    throw corrupt("this is no gzip stream: it does not begin with 1f 8b", cut ? code::kTruncated : "", 0);
  }
  if (input.have(1)) {
    if (!options_.ignore_trailing)
      throw corrupt(fmt::format("bytes follow the last gzip member, {} of the input are good", input.taken()),
                    code::kTrailing, place_.bytes_out);
    drop_rest();
  }
  place_.ended = true;
  return false;
}

// ISA-L passes over flags that it does not know, though what they stand for would come next.
void Gunzip::check_flags() {
  if (place_.input.have(4) && (place_.input.unread()[3] & kReservedFlags) != std::byte{0})
    throw corrupt(
        fmt::format("the header of gzip member {} has flags that RFC 1952 reserves", place_.members + 1), "",
        place_.bytes_out);
}

void Gunzip::skip_zeros() {
  while (place_.input.have(1) && place_.input.unread().front() == std::byte{0}) place_.input.take(1);
}

// To its end, where the source says whether it was whole.
void Gunzip::drop_rest() {
  while (place_.input.have(1)) place_.input.take(place_.input.unread().size());
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
