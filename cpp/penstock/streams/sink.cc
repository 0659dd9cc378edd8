#include "penstock/streams/sink.h"

#include "penstock/base/budget.h"

namespace penstock {

std::uint64_t Sink::write_from(Source& source) {
  // One page of 256 KiB, over the limit if need be: a transfer that has begun must be able to go on.
  Page page = Budget::process_default()->overdraw_page();
  std::uint64_t written = 0;
  while (const std::size_t got = source.read(page.bytes())) {
    write(page.bytes().first(got));
    written += got;
  }
  return written;
}

Receipt pump(Source& source, Sink& sink) {
  sink.write_from(source);
  return sink.finish();
}

}  // namespace penstock
