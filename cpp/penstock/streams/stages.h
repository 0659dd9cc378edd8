// The small stages: each wraps a Source, is a Source, and works in the caller's buffer.
// They borrow the Source they wrap, which must outlive them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "penstock/base/call.h"
#include "penstock/base/clock.h"
#include "penstock/streams/sink.h"
#include "penstock/streams/source.h"

namespace penstock {

// Passes at most `max_bytes`; byte max_bytes + 1 is Error(refused, code too_large), side source.
class Limit : public Source {
 public:
  Limit(Source& source, std::uint64_t max_bytes);
  Limit(Source&& source, std::uint64_t max_bytes) = delete;
  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;

 private:
  std::size_t passed(std::size_t got);
  Source& source_;
  std::uint64_t max_bytes_, left_, marked_left_ = 0;
};

// Counts what passes.
class Count : public Source {
 public:
  explicit Count(Source& source) : source_(source) {}
  explicit Count(Source&& source) = delete;
  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::size_t passed(std::size_t got);
  Source& source_;
  std::uint64_t bytes_ = 0, marked_bytes_ = 0;
};

// Also writes what passes to a sink, which the caller finishes or aborts. Not rewindable: a sink cannot
// unwrite.
class Tee : public Source {
 public:
  Tee(Source& source, Sink& sink) : source_(source), sink_(sink) {}
  Tee(Source&& source, Sink& sink) = delete;
  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }

 private:
  std::size_t passed(Bytes bytes);
  Source& source_;
  Sink& sink_;
};

// Tells a Progress how far the bytes are: at most ten times a second, and once at the end. What is reported
// never falls: bytes read again after a rewind do not count until they are new.
class Meter : public Source {
 public:
  // Without a progress it only passes bytes on.
  Meter(Source& source, Progress* progress, std::shared_ptr<const Clock> clock = Clock::system());
  Meter(Source&& source, Progress* progress, std::shared_ptr<const Clock> clock = Clock::system()) = delete;
  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;

 private:
  std::size_t passed(std::size_t got);
  Source& source_;
  Progress* progress_;
  std::shared_ptr<const Clock> clock_;
  ProgressReport report_;
  std::uint64_t bytes_ = 0, marked_bytes_ = 0;
  std::optional<SteadyTime> last_report_;
  bool ended_ = false;
};

}  // namespace penstock
