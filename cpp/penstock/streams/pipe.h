// The one bounded ring, and the only thing that crosses threads: what one end writes, the other reads.
//
// Life:     the writer ends by finish() (an end for the reader) or abort()/fail()/dying (an Error for the
//           reader). A reader that closes or dies fails the writer with Error(cancelled).
// Threads:  one for each end.
// Memory:   `bytes`, charged to the Budget for as long as either end lives; of several whole pages the first,
//           and what the Budget has to spare.
// The blocking calls wait in base::wait under the Call the pipe was made with; the try_ calls never wait and
// are for the I/O thread and an event loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "penstock/base/budget.h"
#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/streams/sink.h"
#include "penstock/streams/source.h"

namespace penstock {

class PipeWriter : public Sink {
 public:
  PipeWriter() = default;
  PipeWriter(PipeWriter&&) noexcept;
  PipeWriter& operator=(PipeWriter&&) noexcept;
  ~PipeWriter() override;

  void write(Bytes bytes) override;
  Receipt finish() override;  // bytes only
  void abort(std::string_view why) noexcept override;

  // The reader gets what is in the ring, then this Error.
  void fail(const Error& error) noexcept;

  // Takes what fits now, perhaps nothing; returns how much. Throws if the reader is gone.
  std::size_t try_write(Bytes bytes);
  // The same, never straight into a waiting reader's buffer: that may be fresh memory, whose page faults
  // would be this thread's. For an event loop, which others wait for.
  std::size_t try_write_to_ring(Bytes bytes);
  std::size_t room() const;
  std::size_t capacity() const;
  std::size_t buffered() const;

  // Calls `ready` once, outside the lock, as soon as there is room for `at_least` bytes or the reader is
  // gone; at once if that is so already. Replaces the last one.
  void on_room(std::size_t at_least, std::function<void()> ready);

 private:
  friend class Pipe;
  struct Ring;
  friend class PipeReader;
  explicit PipeWriter(std::shared_ptr<Ring> ring);
  std::shared_ptr<Ring> ring_;
};

class PipeReader : public Source {
 public:
  PipeReader() = default;
  PipeReader(PipeReader&&) noexcept;
  PipeReader& operator=(PipeReader&&) noexcept;
  ~PipeReader() override;

  std::size_t read(MutableBytes buffer) override;
  // Waits for a whole page unless the writer ends or waits for room; hands it over in exchange for this one
  // if the ring is made of pages.
  std::size_t read_page(Page& page) override;

  std::size_t ready() const override;

  // nullopt: nothing there yet. 0: the end.
  std::optional<std::size_t> try_read(MutableBytes buffer);

  // Calls `ready` once, outside the lock, as soon as try_read would say something; at once if so already.
  void on_data(std::function<void()> ready);

  // No more is wanted: the writer's next write throws. Dying does the same.
  void close() noexcept;

 private:
  friend class Pipe;
  explicit PipeReader(std::shared_ptr<PipeWriter::Ring> ring);
  std::shared_ptr<PipeWriter::Ring> ring_;
};

// Both ends of a new ring. Move each to the thread that uses it.
class Pipe {
 public:
  static constexpr std::size_t kDefaultBytes = 256 * 1024;
  explicit Pipe(std::size_t bytes = kDefaultBytes, Call call = {},
                const std::shared_ptr<Budget>& budget = Budget::process_default());
  PipeWriter writer;
  PipeReader reader;
};

}  // namespace penstock
