#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/base/budget.h"
#include "penstock/base/clock.h"
#include "penstock/base/redact.h"
#include "penstock/base/units.h"

#include "bind.h"
#include "call_state.h"
#include "py_callback.h"

namespace penstock::python {
namespace {

CallPointer make_call(std::optional<double> deadline, py::object progress) {
  auto state = deadline ? std::make_shared<CallState>(Deadline::after(milliseconds(*deadline)))
                        : std::make_shared<CallState>();
  if (!progress.is_none()) state->set_progress(std::make_unique<PyProgress>(std::move(progress), *state));
  return state;
}

}  // namespace

void bind_base(py::module_& core) {
  py::class_<CallState, CallPointer>(core, "Call", plain_type())
      .def(py::init(&make_call), py::arg("deadline") = py::none(), py::arg("progress") = py::none())
      .def("stop", &CallState::stop, py::call_guard<GilReleased>())
      .def_property_readonly("stopped", &CallState::stopped);

  py::class_<ManualClock, std::shared_ptr<ManualClock>>(core, "ManualClock", plain_type())
      .def(py::init([](double wall) { return std::make_shared<ManualClock>(WallTime{milliseconds(wall)}); }),
           py::arg("wall"))
      .def(
          "advance", [](ManualClock& self, double seconds) { self.advance(milliseconds(seconds)); },
          py::arg("seconds"));

  core.def("parse_bytes", [](const std::string& text) { return parse_bytes(text); });
  core.def("parse_span", [](const std::string& text) { return parse_span(text).count() / 1000.0; });
  core.def("format_bytes", &format_bytes);
  core.def("redact_url", [](const std::string& url) { return redact_url(url); });
  core.def("mask", [](const std::string& secret) { return mask(secret); });
  core.def("budget_statistics", [] {
    const auto s = Budget::process_default()->statistics();
    py::dict out;
    out["limit"] = s.limit;
    out["used"] = s.used;
    out["peak"] = s.peak;
    out["overdraft"] = s.overdraft;
    out["retained"] = s.retained;
    return out;
  });
  core.def("set_budget", [](std::uint64_t bytes) { Budget::set_process_default(Budget::create(bytes)); });
}

}  // namespace penstock::python
