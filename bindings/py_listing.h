// Listings of a store, page by page.
#pragma once

#include <string>

#include "await.h"
#include "bind.h"
#include "convert.h"

namespace penstock::python {

py::object list(const StoreHandle& self, const std::string& prefix, const std::string& start_after,
                const CallPointer& state, const py::object& loop);
py::object list_with_delimiter(const StoreHandle& self, const std::string& prefix,
                               const std::string& delimiter, const std::string& start_after,
                               const CallPointer& state, const py::object& loop);

void bind_listing(py::module_& core);

}  // namespace penstock::python
