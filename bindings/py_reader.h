// An object that Python reads anywhere in.
#pragma once

#include <string>

#include <pybind11/pybind11.h>

#include "bind.h"
#include "gil.h"

namespace penstock::python {

// A `Reader` of the object: a Source with seek() and tell(). Keeps the store alive.
py::object open_reader(const StoreHandle& self, const std::string& key, std::string if_match,
                       std::string version, std::string customer_key, const CallPointer& state,
                       const py::object& loop);

void bind_reader(pybind11::module_& core);

}  // namespace penstock::python
