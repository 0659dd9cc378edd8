// The core's Error as a Python exception, and back.
#pragma once

#include <exception>
#include <optional>

#include <pybind11/pybind11.h>

#include "penstock/base/error.h"

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

// Calls into user code; an exception that error_from() knows becomes the core's Error, any other passes
// through.
template <class Call>
auto raising_ours(Call&& call) {
  try {
    return call();
  } catch (const py::error_already_set& raised) {
    if (auto error = error_from(raised)) throw *error;
    throw;
  }
}

}  // namespace penstock::python
