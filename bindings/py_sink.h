// Sinks at the border: what Python holds of ours, and a Python writer as one of ours.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <pybind11/pybind11.h>

#include "penstock/store/object.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/sink.h"

#include "py_source.h"

namespace penstock::python {

// A Sink that Python owns. One that dies unfinished aborts, without the GIL.
// Threads: one at a time writes; abort() from any. While another writes it only stops that call, which aborts
// as it leaves: until then the far side writes from memory that an abort would free.
class SinkHandle : public Sink {
 public:
  SinkHandle(std::unique_ptr<Sink> sink, CallPointer call) : call_(std::move(call)), sink_(std::move(sink)) {}
  ~SinkHandle() override {
    const Ungil ungil;
    sink_.reset();
  }

  void write(Bytes bytes) override {
    const Use use{*this};
    sink_->write(bytes);
  }
  std::uint64_t write_from(Source& source) override {
    const Use use{*this};
    return sink_->write_from(source);
  }
  Receipt finish() override {
    const Use use{*this};
    Receipt receipt = sink_->finish();
    finished();
    return receipt;
  }
  // What `look` gives for the sink, while nobody else uses it.
  template <class Look>
  auto with(Look look) {
    const Use use{*this};
    return look(*sink_);
  }
  void abort(std::string_view why) noexcept override;
  bool ended() const;
  const CallPointer& call() const { return call_; }

 private:
  // The sink for one call.
  class Use {
   public:
    explicit Use(SinkHandle& sink) : sink_(sink) { sink_.enter(); }
    ~Use() { sink_.leave(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    SinkHandle& sink_;
  };
  void enter();
  void leave() noexcept;
  void finished();

  CallPointer call_;
  std::unique_ptr<Sink> sink_;
  mutable std::mutex mutex_;
  bool busy_ = false, ended_ = false;
  std::optional<std::string> aborted_;  // why; waits for the call under way
};

// What a user's open_writer() returned: write(buffer), finish() and abort(why). Length and expected digests
// are compared here before finish(), so that a user's class cannot forget it.
class PySink : public Sink {
 public:
  // `state`: the call that an exception which is no Exception ends; may be null.
  PySink(py::object writer, std::string key, std::string location, store::WriteOptions options,
         CallPointer state);
  ~PySink() override { abort("the writer was dropped unfinished"); }
  void write(Bytes bytes) override;
  Receipt finish() override;
  void abort(std::string_view why) noexcept override;

 private:
  void verify() const;

  Kept writer_;
  std::string key_, location_;
  store::WriteOptions options_;
  CallPointer state_;
  std::vector<Hasher> hashers_;
  std::uint64_t bytes_ = 0;
  bool ended_ = false;
};

}  // namespace penstock::python
