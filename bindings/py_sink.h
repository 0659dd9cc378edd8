// Sinks at the border: what Python holds of ours, and a Python writer as one of ours.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <pybind11/pybind11.h>

#include "penstock/store/object.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/sink.h"

#include "py_source.h"

namespace penstock::python {

// A Sink that Python owns. One that dies unfinished aborts, without the GIL.
class SinkHandle : public Sink {
 public:
  SinkHandle(std::unique_ptr<Sink> sink, CallPointer call) : call_(std::move(call)), sink_(std::move(sink)) {}
  ~SinkHandle() override {
    const Ungil ungil;
    sink_.reset();
  }

  void write(Bytes bytes) override {
    Exclusive use{busy_};
    open().write(bytes);
  }
  std::uint64_t write_from(Source& source) override {
    Exclusive use{busy_};
    return open().write_from(source);
  }
  Receipt finish() override {
    Exclusive use{busy_};
    Receipt receipt = open().finish();
    ended_ = true;
    return receipt;
  }
  void abort(std::string_view why) noexcept override {
    if (ended_.exchange(true) || !sink_) return;
    sink_->abort(why);
  }
  bool ended() const { return ended_; }
  const CallPointer& call() const { return call_; }

 private:
  Sink& open() const {
    if (ended_) throw std::invalid_argument("the sink has ended: finish() or abort() was called");
    return *sink_;
  }

  CallPointer call_;
  std::unique_ptr<Sink> sink_;
  std::atomic<bool> busy_{false}, ended_{false};
};

// What a user's open_writer() returned: write(buffer), finish() and abort(why). Length and expected digests
// are compared here before finish(), so that a user's class cannot forget it.
class PySink : public Sink {
 public:
  PySink(py::object writer, std::string key, std::string location, store::WriteOptions options);
  ~PySink() override { abort("the writer was dropped unfinished"); }
  void write(Bytes bytes) override;
  Receipt finish() override;
  void abort(std::string_view why) noexcept override;

 private:
  void verify() const;

  Kept writer_;
  std::string key_, location_;
  store::WriteOptions options_;
  std::vector<Hasher> hashers_;
  std::uint64_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace penstock::python
