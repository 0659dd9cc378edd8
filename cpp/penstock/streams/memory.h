// Streams over memory, and the doubles tests need: slow, broken, counting.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "penstock/base/error.h"
#include "penstock/streams/sink.h"
#include "penstock/streams/source.h"

namespace penstock {

// Reads memory it borrows. Rewindable.
class MemorySource : public Source {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(bytes) {}
  std::size_t read(MutableBytes buffer) override;
  std::optional<std::uint64_t> remaining() const override { return bytes_.size() - at_; }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override { at_ = mark_; }

 private:
  Bytes bytes_;
  std::size_t at_ = 0, mark_ = 0;
};

// Keeps what is written, up to `max_bytes` (Error(refused, code too_large)). `visible()` is empty until
// finish().
class MemorySink : public Sink {
 public:
  explicit MemorySink(std::uint64_t max_bytes = std::uint64_t{64} << 20) : max_bytes_(max_bytes) {}
  ~MemorySink() override = default;
  void write(Bytes bytes) override;
  Receipt finish() override;
  void abort(std::string_view why) noexcept override;

  const std::string& visible() const { return visible_; }
  bool finished() const { return finished_; }
  bool aborted() const { return aborted_; }
  const std::string& why() const { return why_; }  // of the abort

 private:
  std::uint64_t max_bytes_;
  std::string pending_, visible_, why_;
  bool finished_ = false, aborted_ = false;
};

// Gives at most `step` bytes a read, as a slow network does. At `break_at` it throws what it was given, once:
// a source that is read on or rewound after that passes everything.
class SlowSource : public Source {
 public:
  SlowSource(Source& source, std::size_t step) : source_(source), step_(step) {}
  SlowSource(Source&& source, std::size_t step) = delete;
  SlowSource& break_at(std::uint64_t offset, Error error);
  std::size_t read(MutableBytes buffer) override;
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;

 private:
  Source& source_;
  std::size_t step_;
  std::uint64_t at_ = 0, mark_ = 0;
  std::optional<std::uint64_t> break_at_;
  std::optional<Error> error_;
};

// Passes at most `step` bytes a write to `sink`; at `break_at` it throws what it was given, every time: a far
// end that is gone stays gone.
class SlowSink : public Sink {
 public:
  SlowSink(Sink& sink, std::size_t step) : sink_(sink), step_(step) {}
  SlowSink(Sink&& sink, std::size_t step) = delete;
  SlowSink& break_at(std::uint64_t offset, Error error);
  void write(Bytes bytes) override;
  Receipt finish() override { return sink_.finish(); }
  void abort(std::string_view why) noexcept override { sink_.abort(why); }

 private:
  Sink& sink_;
  std::size_t step_;
  std::uint64_t at_ = 0;
  std::optional<std::uint64_t> break_at_;
  std::optional<Error> error_;
};

}  // namespace penstock
