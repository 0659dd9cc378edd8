// Sources at the border: what Python holds of ours, and what we read of Python's.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <pybind11/pybind11.h>

#include "penstock/base/wait.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/held.h"
#include "penstock/streams/source.h"

#include "gil.h"

namespace penstock::python {

// One thread at a time: a second one is told so instead of corrupting the stream.
class Exclusive {
 public:
  explicit Exclusive(std::atomic<bool>& busy) : busy_(busy) {
    if (busy_.exchange(true)) throw std::runtime_error("this stream is being used by another thread or task");
  }
  ~Exclusive() { busy_ = false; }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::atomic<bool>& busy_;
};

// What one read gives Python. It grows to what comes, so that asking for much takes no memory by itself, and
// needs no copy where the read fills it.
class Chunk {
 public:
  explicit Chunk(std::size_t most);  // the GIL held
  // Of all that is left, if the source knows how much that is; one more byte is room to see the end.
  Chunk(std::size_t most, std::optional<std::uint64_t> remaining);
  // Reads until `most` or the end if `full`, else once. Without the GIL, unless the source is held.
  void fill(Source& source, bool full);
  py::object take() &&;  // the GIL held

 private:
  struct Release {
    void operator()(PyObject* object) const {
      GilHeld gil;
      Py_DECREF(object);
    }
  };
  void grow(std::optional<std::uint64_t> remaining);
  void resize(std::size_t size);  // the GIL held
  MutableBytes room() const;

  std::size_t most_, size_, filled_ = 0;
  std::unique_ptr<PyObject, Release> bytes_;
};

inline py::object to_python(Chunk chunk) {
  return std::move(chunk).take();
}

// A Source that Python owns, and whatever it stands on: a stage keeps the handle it reads from. It is a
// Source itself, so a stage made in Python borrows it as C++ stages do.
class SourceHandle : public Source {
 public:
  SourceHandle(std::unique_ptr<Source> source, CallPointer call,
               std::shared_ptr<SourceHandle> inner = nullptr)
      : inner_(std::move(inner)),
        call_(std::move(call)),
        source_(std::move(source)),
        held_(dynamic_cast<const Held*>(source_.get()) != nullptr) {}
  ~SourceHandle() override {
    std::optional<Ungil> ungil;
    if (!held_) ungil.emplace();
    source_.reset();
  }

  std::size_t read(MutableBytes buffer) override {
    Exclusive use{busy_};
    return open().read(buffer);
  }
  std::optional<std::uint64_t> remaining() const override {
    Exclusive use{busy_};
    return open().remaining();
  }
  std::size_t ready() const override {
    Exclusive use{busy_};
    return open().ready();
  }
  bool rewindable() const override {
    Exclusive use{busy_};
    return open().rewindable();
  }
  std::string_view repeat_obstacle() const override {
    Exclusive use{busy_};
    return open().repeat_obstacle();
  }
  void mark() override {
    Exclusive use{busy_};
    open().mark();
  }
  void rewind() override {
    Exclusive use{busy_};
    open().rewind();
  }

  // Closes what is at the bottom. Stages stay, so that their counts and digests can still be asked.
  void close() {
    Exclusive use{busy_};
    closed_ = true;
    if (inner_) return inner_->close();
    source_.reset();
  }
  bool closed() const { return closed_; }
  bool held() const { return held_; }  // no read waits
  Source* source() const { return source_.get(); }
  const CallPointer& call() const { return call_; }

 protected:
  Exclusive exclusive() const { return Exclusive{busy_}; }

 private:
  Source& open() const {
    if (closed_ || !source_) throw std::invalid_argument("the stream is closed");
    return *source_;
  }

  std::shared_ptr<SourceHandle> inner_;
  CallPointer call_;
  std::unique_ptr<Source> source_;  // after inner_: dies first
  const bool held_;
  mutable std::atomic<bool> busy_{false};
  std::atomic<bool> closed_{false};
};

// A borrowed Python buffer. Rewindable.
class BufferSource : public Source {
 public:
  explicit BufferSource(py::handle object) : buffer_(object) {}
  std::size_t read(MutableBytes out) override;
  std::optional<std::uint64_t> remaining() const override { return buffer_.bytes().size() - at_; }
  bool rewindable() const override { return true; }
  void mark() override { mark_ = at_; }
  void rewind() override { at_ = mark_; }

 private:
  Borrowed buffer_;
  std::size_t at_ = 0, mark_ = 0;
};

// A Python iterator of buffers; empty ones are passed over.
class IteratorSource : public Source {
 public:
  explicit IteratorSource(py::object iterator) : iterator_(std::move(iterator)) {}
  std::size_t read(MutableBytes out) override;

 private:
  Kept iterator_;
  std::unique_ptr<Borrowed> chunk_;
  std::size_t at_ = 0;
};

// A Python binary file: readinto() if it has it, else read(). Rewindable if seekable; how much is left is
// known of what is plain file or memory underneath: others may read to their end to tell.
class ReaderSource : public Source {
 public:
  explicit ReaderSource(py::object file);
  std::size_t read(MutableBytes out) override;
  std::optional<std::uint64_t> remaining() const override;
  bool rewindable() const override { return seekable_; }
  void mark() override;
  void rewind() override;

 private:
  Kept file_;
  bool readinto_, seekable_, sized_;
  std::int64_t mark_ = -1;
};

// Ends a pipeline that never waits (memory to memory) on a stop, on its deadline or on Ctrl-C.
class Attentive : public Source {
 public:
  Attentive(Source& source, Call call) : source_(source), call_(std::move(call)) {}
  std::size_t read(MutableBytes out) override {
    base::check(call_, "read");
    return source_.read(out);
  }
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override { source_.mark(); }
  void rewind() override { source_.rewind(); }

 private:
  Source& source_;
  Call call_;
};

}  // namespace penstock::python
