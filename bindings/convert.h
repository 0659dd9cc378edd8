// Facts of the core as Python values: the frozen dataclasses of penstock.objects, and the options as keyword
// dicts. All of it with the GIL held.
#pragma once

#include <chrono>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/base/call.h"
#include "penstock/bundles/bundle.h"
#include "penstock/bundles/recovery.h"
#include "penstock/codecs/limits.h"
#include "penstock/store/object.h"
#include "penstock/streams/receipt.h"

namespace penstock::python {

namespace py = pybind11;

// Text of a far end, whatever its bytes: what is no UTF-8 shows as \\xff, and never raises.
py::str text(std::string_view bytes);
py::dict texts(const std::map<std::string, std::string>& fields);

// A span of a caller's, at most a century either way so that no clock overflows. Refused: not a number.
std::chrono::milliseconds milliseconds(double seconds);

// Throws Refused, naming the values, for any other `given`.
void check_one_of(std::string_view name, const std::string& given,
                  std::initializer_list<std::string_view> values);
store::Mode mode_from(const std::string& mode, const std::string& etag = "");

py::object to_python(const Receipt& receipt);
py::object to_python(const store::ObjectMeta& meta);
py::object to_python(const store::RemoveReport& report);
py::object to_python(const ProgressReport& report);
py::object to_python(const std::optional<store::ObjectMeta>& meta);
py::object to_python(const std::vector<store::ObjectMeta>& page);
py::object to_python(const std::vector<std::string>& texts);

// Dicts with the fields' names; `meta` is JSON text.
py::object to_python(const bundles::BundleRef& ref);
py::object to_python(const bundles::BundleReceipt& receipt);
py::object to_python(const bundles::RecoveryReport& report);
py::object to_python(const std::vector<bundles::Judged>& judged);  // of each its verdict, or the error
py::object to_python(const std::map<std::string, Error>& errors);  // a dict
// (name, location, bytes, sha256)
py::object to_python(const bundles::StoredResource& stored);

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
  return text(value);
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
codecs::Limits limits_from(const py::dict& given);                // by the names of its fields
std::optional<store::Range> range_from(const py::object& range);  // None or (first, last, suffix)

}  // namespace penstock::python
