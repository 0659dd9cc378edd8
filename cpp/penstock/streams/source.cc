#include "penstock/streams/source.h"

#include <stdexcept>

namespace penstock {

void Source::mark() {
  throw std::logic_error{"mark() on a source that is not rewindable()"};
}

void Source::rewind() {
  throw std::logic_error{"rewind() on a source that is not rewindable()"};
}

std::size_t read_full(Source& source, MutableBytes buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const std::size_t got = source.read(buffer.subspan(filled));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

}  // namespace penstock
