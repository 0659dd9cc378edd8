// The core's Error as a Python exception, and back.
#pragma once

#include <exception>
#include <optional>

#include <pybind11/pybind11.h>

#include "penstock/base/error.h"

#include "call_state.h"

namespace penstock::python {

namespace py = pybind11;

void register_errors(py::module_& core);

// The instance of penstock.errors.* for `error`, its causes chained as __cause__.
py::object to_python(const Error& error);

// The instance for whatever was thrown. Needs the GIL.
py::object exception_of(const std::exception_ptr& thrown);

// What user code raised, as the core's Error if it says what the caller does next (ours, or the built-in
// classes ours derive from); nullopt leaves it as it is. Needs the GIL.
std::optional<Error> error_from(const py::error_already_set& raised);

// Inside a handler for `raised`: throws the core's Error if error_from() knows it; what is no Exception
// (KeyboardInterrupt, SystemExit) fails `state`, if there is one, so that no record of a failure swallows it;
// anything else passes through.
[[noreturn]] void rethrow_ours(const py::error_already_set& raised, const CallPointer& state);

// Calls into user code, and rethrow_ours() for what it raises.
template <class Call>
auto raising_ours(Call&& call, const CallPointer& state = nullptr) {
  try {
    return call();
  } catch (const py::error_already_set& raised) {
    rethrow_ours(raised, state);
  }
}

}  // namespace penstock::python
