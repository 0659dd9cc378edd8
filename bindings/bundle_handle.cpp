#include "bundle_handle.h"

#include "runtime.h"

namespace penstock::python {
namespace {

// With the GIL held, perhaps while an exception is on its way, or the interpreter is ending.
bool runs_a_loop() {
  const py::error_scope on_its_way;
  try {
    const auto asyncio = py::reinterpret_steal<py::object>(PyImport_GetModule(py::str("asyncio").ptr()));
    return asyncio && !asyncio.attr("_get_running_loop")().is_none();
  } catch (const py::error_already_set&) {
    return false;
  }
}

// False: the interpreter is about to end, or the system gives no thread.
bool on_a_worker(const std::function<void()>& work) {
  try {
    Runtime::instance().run(std::make_shared<CallState>(), work);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

void aside(const std::function<void()>& work) {
  if (PyGILState_Check() && runs_a_loop() && on_a_worker(work)) return;
  const Ungil ungil;
  work();
}

}  // namespace penstock::python
