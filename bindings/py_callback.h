// Python callables that the core calls: progress, and what is told of a completed bundle.
#pragma once

#include <functional>
#include <memory>

#include <pybind11/pybind11.h>

#include "call_state.h"
#include "convert.h"
#include "gil.h"

namespace penstock::python {

// Calls `callback(Progress)` on the thread that runs the transfer. What it raises stops the call and is its
// outcome.
class PyProgress : public Progress {
 public:
  // `state` owns this, so it is borrowed.
  PyProgress(py::object callback, CallState& state) : callback_(std::move(callback)), state_(state) {}
  void report(const ProgressReport& report) override {
    GilHeld gil;
    try {
      (*callback_)(to_python(report));
    } catch (const py::error_already_set&) {
      state_.fail(std::current_exception());
      throw Error{Kind::cancelled, "the progress callback raised an exception"};
    }
  }

 private:
  Kept callback_;
  CallState& state_;
};

// A callable told of a completed bundle, as a dict, on the thread that completes it. What it raises is the
// core's to log.
class PyOnComplete {
 public:
  explicit PyOnComplete(py::object callback) : callback_(std::move(callback)) {}
  void operator()(const bundles::BundleRef& ref) const {
    GilHeld gil;
    (*callback_)(to_python(ref));
  }

 private:
  Kept callback_;
};

}  // namespace penstock::python
