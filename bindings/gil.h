// The GIL policy, said once.
//
// - A native call releases the GIL once, around the whole of it, on the caller's thread: blocking() in
// await.h.
// - Whatever native code needs from Python while it runs takes the GIL for that moment only, once a chunk or
//   batch, in py_source.h, py_sink.h, py_store.h, py_callback.h and await.h, and nowhere else.
// - The I/O thread never takes it. Completions, log lines and progress reach Python through the notifier
//   thread (runtime.h), which takes it once a batch.
// - No C++ lock is held while the GIL is awaited.
// - Python objects that native code keeps are held by Kept, whose last copy takes the GIL to let go.
// - When Python is about to finalise, the gate is closed: whoever then asks for the GIL, but the main thread,
//   stops there for good, as it does in Python 3.14. Before, Python has such a thread unwind, which out of a
//   destructor aborts the process.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <pybind11/pybind11.h>

#include "penstock/base/bytes.h"

#include "call_state.h"

namespace penstock::python {

namespace py = pybind11;

// In front of the GIL. Threads: any.
class Gate {
 public:
  static void enter();  // before a wait for the GIL; does not return once the gate is closed
  static void leave();  // the GIL is held
  // By the main thread without the GIL: waits until those who are inside have it, so long at most.
  static void close(std::chrono::milliseconds patience);
  static void after_fork_in_child();
};

// Holds the GIL for as long as this lives; it may be held already.
class GilHeld {
 public:
  GilHeld() : waits_(PyGILState_Check() == 0) {
    if (waits_) Gate::leave();
  }
  GilHeld(const GilHeld&) = delete;
  GilHeld& operator=(const GilHeld&) = delete;

 private:
  // Constructed between the two steps of the gate.
  struct Entered {
    explicit Entered(bool waits) {
      if (waits) Gate::enter();
    }
  };
  bool waits_;
  Entered entered_{waits_};
  py::gil_scoped_acquire gil_;
};

// Lets go of the GIL, which is held, for as long as this lives.
class GilReleased {
 public:
  GilReleased() = default;
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  // Destroyed around the release: the last first.
  struct Leave {
    ~Leave() { Gate::leave(); }
  } leave_;
  py::gil_scoped_release release_;
  struct Enter {
    ~Enter() { Gate::enter(); }
  } enter_;
};

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
    GilHeld gil;
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
  std::optional<GilReleased> release_;
};

}  // namespace penstock::python
