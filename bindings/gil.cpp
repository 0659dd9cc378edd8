#include "gil.h"

#include <atomic>
#include <thread>

#include <unistd.h>

#include "errors.h"

namespace penstock::python {
namespace {
std::atomic<unsigned long> main_thread{0};
std::atomic<int> waiting{0};  // for the GIL
std::atomic<bool> closed{false};
}  // namespace

void Gate::enter() {
  ++waiting;
  if (!closed || on_main_thread()) return;
  --waiting;
  while (true) ::pause();
}

void Gate::leave() {
  --waiting;
}

void Gate::close(std::chrono::milliseconds patience) {
  closed = true;
  const auto end = std::chrono::steady_clock::now() + patience;
  // Looked at again and again, once a process: a lock here would be one more to be awaited with the GIL.
  while (waiting > 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

void Gate::after_fork_in_child() {
  waiting = 0;  // they were threads of the parent
  closed = false;
}

void remember_main_thread() {
  main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
}

bool on_main_thread() {
  return PyThread_get_thread_ident() == main_thread.load();
}

void check_signals(CallState& state) {
  GilHeld gil;
  if (PyErr_CheckSignals() != 0) state.fail(std::make_exception_ptr(py::error_already_set()));
}

Borrowed::Borrowed(py::handle object, bool writable) {
  const int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
  if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw py::error_already_set();
}

Borrowed::~Borrowed() {
  GilHeld gil;
  PyBuffer_Release(&view_);
}

}  // namespace penstock::python
