// Where bytes come to rest: a file, an S3 object, a COPY.
//
// Life:     write()* then exactly one of finish() or abort(). Destroying an unfinished sink aborts it.
// Threads:  one caller at a time; different sinks are independent.
// Memory:   bounded by the sink's own options, however long the stream.
#pragma once

#include <cstdint>
#include <string_view>

#include "penstock/base/bytes.h"
#include "penstock/streams/receipt.h"
#include "penstock/streams/source.h"

namespace penstock {

class Sink {
 public:
  virtual ~Sink() = default;

  // Takes all of `bytes` or throws. Waits while the far end is slow: that wait is the backpressure.
  // `bytes` is borrowed until return. Throws Error(lost) once retries are spent.
  virtual void write(Bytes bytes) = 0;

  // Writes all that is left of `source`; returns how much. By default through a 256 KiB buffer; a sink with
  // its own buffers reads straight into them.
  virtual std::uint64_t write_from(Source& source);

  // Makes all of it visible at once. Throws Error(in_doubt) if that may have happened. Call once.
  virtual Receipt finish() = 0;

  // Nothing becomes visible. Safe to repeat, and after a throw.
  virtual void abort(std::string_view why) noexcept = 0;

 protected:
  Sink() = default;
  Sink(const Sink&) = default;
  Sink& operator=(const Sink&) = default;
};

// Source to sink, then finish(): the sentence every system is.
Receipt pump(Source& source, Sink& sink);

}  // namespace penstock
