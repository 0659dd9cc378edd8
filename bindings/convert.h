// Facts of the core as Python values: the frozen dataclasses of penstock.objects, and the options as keyword
// dicts. All of it with the GIL held.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/base/call.h"
#include "penstock/store/object.h"
#include "penstock/streams/receipt.h"

namespace penstock::python {

namespace py = pybind11;

py::object to_python(const Receipt& receipt);
py::object to_python(const store::ObjectMeta& meta);
py::object to_python(const store::RemoveReport& report);
py::object to_python(const ProgressReport& report);
py::object to_python(const std::optional<store::ObjectMeta>& meta);
py::object to_python(const std::vector<store::ObjectMeta>& page);
inline py::object to_python(py::object value) {
  return value;
}
inline py::object to_python(bool value) {
  return py::bool_(value);
}
inline py::object to_python(std::uint64_t value) {
  return py::int_(value);
}
inline py::object to_python(const std::string& value) {
  return py::str(value);
}
inline py::object to_python(std::optional<std::uint64_t> value) {
  return py::cast(value);
}
// Bound classes go out as themselves.
template <class Bound>
py::object to_python(const std::shared_ptr<Bound>& bound) {
  return py::cast(bound);
}

store::ObjectMeta meta_from(py::handle meta);
store::WriteOptions write_options(const py::dict& options);
py::dict from_write_options(const store::WriteOptions& options);
std::optional<store::Range> range_from(const py::object& range);  // None or (first, last, suffix)

}  // namespace penstock::python
