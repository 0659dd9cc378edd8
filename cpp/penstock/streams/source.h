// Where bytes come from: a file, an HTTP body, an S3 object, a stage over another Source.
//
// Life:     read() until it returns 0. Dying early closes what is underneath.
// Threads:  one caller at a time; different sources are independent.
// Memory:   none that grows with the stream: read() fills the caller's buffer.
// Backpressure is nobody calling read(); there is no other flow control.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "penstock/base/budget.h"
#include "penstock/base/bytes.h"

namespace penstock {

class Source {
 public:
  virtual ~Source() = default;

  // Fills some of `buffer` (not empty) and returns how much: 0 at the end and only at the end, however often
  // asked. Waits for the first byte. A stream cut short is an Error, never an end.
  virtual std::size_t read(MutableBytes buffer) = 0;

  // Fills some of `page` from its beginning, or exchanges it for another that is filled so, and returns how
  // much, as read() does: a Source whose bytes lie in pages hands them over, where read() would have to copy
  // them.
  virtual std::size_t read_page(Page& page) { return read(page.bytes()); }

  // Bytes still to come: exact, or unknown.
  virtual std::optional<std::uint64_t> remaining() const { return std::nullopt; }

  // Bytes that the next read() has at hand: it gives them, if its buffer has room, without waiting and with
  // little work. 0 where nobody knows. For an event loop, which others wait for.
  virtual std::size_t ready() const { return 0; }

  // Whether mark() and rewind() work.
  virtual bool rewindable() const { return false; }

  // Remembers this place; replaces the last mark. std::logic_error if not rewindable().
  virtual void mark();

  // Back to the mark: the same bytes again, or Error(conflict, code changed). std::logic_error without a
  // mark.
  virtual void rewind();

  // Why a read from the mark could mix bytes of two versions without anybody's notice, or could not be at
  // all; "": it cannot. Stages forward it.
  virtual std::string_view repeat_obstacle() const {
    return rewindable() ? std::string_view{} : "the source cannot be read again";
  }

 protected:
  Source() = default;
  Source(const Source&) = default;
  Source& operator=(const Source&) = default;
};

// Fills `buffer` unless the stream ends first; returns how much.
std::size_t read_full(Source& source, MutableBytes buffer);

}  // namespace penstock
