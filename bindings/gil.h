// The GIL policy, said once.
//
// - A native call releases the GIL once, around the whole of it, on the caller's thread: blocking().
// - Whatever native code needs from Python while it runs takes the GIL for that moment only, once a chunk or
//   batch, in py_source.h, py_sink.h, py_store.h, py_callback.h and await.h, and nowhere else.
// - The I/O thread never takes it. Completions, log lines and progress reach Python through the notifier
//   thread (runtime.h), which takes it once a batch.
// - No C++ lock is held while the GIL is awaited.
// - Python objects that native code keeps are held by Kept, whose last copy takes the GIL to let go.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <pybind11/pybind11.h>

#include "penstock/base/bytes.h"
#include "penstock/base/wait.h"

#include "call_state.h"

namespace penstock::python {

namespace py = pybind11;

// A Python object that may be dropped by any thread, with or without the GIL.
class Kept {
 public:
  Kept() = default;
  explicit Kept(py::object object) : object_(new py::object(std::move(object)), release) {}
  const py::object& operator*() const { return *object_; }
  const py::object* operator->() const { return object_.get(); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  static void release(py::object* object) {
    py::gil_scoped_acquire gil;
    delete object;
  }
  std::shared_ptr<py::object> object_;
};

// A C-contiguous buffer borrowed from Python for as long as this lives. Made with the GIL held.
class Borrowed {
 public:
  explicit Borrowed(py::handle object, bool writable = false);
  ~Borrowed();
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Bytes bytes() const {
    return {static_cast<const std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }
  MutableBytes mutable_bytes() {
    return {static_cast<std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

// For destructors that may wait for a thread that needs the GIL: lets go of it if this thread holds it.
class Ungil {
 public:
  Ungil() {
    if (PyGILState_Check()) release_.emplace();
  }

 private:
  std::optional<py::gil_scoped_release> release_;
};

// Runs `work(const Call&)` on this thread without the GIL. On the main thread Ctrl-C stops it: the hook asks
// Python for signals while the core waits, and a handler that raised becomes the outcome, whatever the work
// answered.
template <class Work>
auto blocking(CallState& state, Work&& work) {
  py::gil_scoped_release release;
  std::optional<base::WaitHook> hook;
  if (on_main_thread()) hook.emplace([&state] { check_signals(state); });
  return state.finish(std::forward<Work>(work));
}

}  // namespace penstock::python
