#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/bundles/bid.h"

#include "bind.h"

namespace penstock::python {

namespace py = pybind11;

void bind_bid(py::module_& core) {
  core.def("new_bid", [] { return bundles::Bid::generate().text(); });
  // Bytes, since a str may hold what is no UTF-8.
  core.def(
      "is_bid",
      [](const py::bytes& utf8) { return bundles::Bid::is_valid(static_cast<std::string_view>(utf8)); },
      py::arg("utf8"));
  // Milliseconds since 1970.
  core.def(
      "bid_time",
      [](const py::bytes& utf8) -> std::optional<std::int64_t> {
        const auto time = bundles::Bid::parse(utf8).time();
        return time ? std::optional{time->time_since_epoch().count()} : std::nullopt;
      },
      py::arg("utf8"));
}

}  // namespace penstock::python
