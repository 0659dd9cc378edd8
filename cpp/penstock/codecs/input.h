// The bytes of a Source that may be looked at before they are taken.
//
// Life:   copying remembers a place; the Source must then be put back to where it was by its own mark.
// Memory: 64 KiB, or as much as was asked for at once.
#pragma once

#include <cstdint>
#include <vector>

#include "penstock/streams/source.h"

namespace penstock::codecs {

class Input {
 public:
  // `taken`: bytes of the whole that came before `source`.
  explicit Input(Source& source, std::uint64_t taken = 0) : source_(&source), taken_(taken) {}

  // Whether so many bytes are still to come; reads until they are here.
  bool have(std::size_t bytes);
  // What is here and not yet taken. Valid until the next have().
  Bytes unread() const { return Bytes{buffer_}.subspan(at_, end_ - at_); }
  void take(std::size_t bytes);
  std::uint64_t taken() const { return taken_; }  // so far

 private:
  Source* source_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0, end_ = 0;  // of what is unread
  std::uint64_t taken_;
};

// Padding, as tapes and blocks leave it.
bool all_zeros(Bytes bytes);

}  // namespace penstock::codecs
