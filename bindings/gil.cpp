#include "gil.h"

#include <atomic>

#include "errors.h"

namespace penstock::python {
namespace {
std::atomic<unsigned long> main_thread{0};
}

void remember_main_thread() {
  main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
}

bool on_main_thread() {
  return PyThread_get_thread_ident() == main_thread.load();
}

void check_signals(CallState& state) {
  py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) state.fail(std::make_exception_ptr(py::error_already_set()));
}

Borrowed::Borrowed(py::handle object, bool writable) {
  const int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
  if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw py::error_already_set();
}

Borrowed::~Borrowed() {
  py::gil_scoped_acquire gil;
  PyBuffer_Release(&view_);
}

}  // namespace penstock::python
