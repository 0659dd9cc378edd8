#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/files/metrics.h"

#include "bind.h"
#include "gil.h"

namespace py = pybind11;

namespace penstock::python {
namespace {

// Guarded by the GIL.
std::shared_ptr<files::Metrics>& metrics() {
  static auto& process_wide = *new std::shared_ptr<files::Metrics>(std::make_shared<files::Metrics>());
  return process_wide;
}

py::dict snapshot() {
  files::MetricsSnapshot now;
  {
    const auto counted = metrics();
    const auto web = default_client();
    const GilReleased release;
    now = counted->snapshot(*web);
  }
  py::dict out;
  out["files"] = now.files;
  out["seconds"] = now.seconds;
  out["seconds_sum"] = now.seconds_sum;
  out["in_flight"] = now.in_flight;
  out["bytes_in"] = now.bytes_in;
  out["bytes_out"] = now.bytes_out;
  out["retries"] = now.retries;
  out["resumes"] = now.resumes;
  out["budget_used"] = now.budget_used;
  out["budget_peak"] = now.budget_peak;
  out["uploads_orphaned"] = now.uploads_orphaned;
  out["pool_open"] = now.pool_open;
  out["pool_idle"] = now.pool_idle;
  out["pool_waiting"] = now.pool_waiting;
  return out;
}

}  // namespace

std::shared_ptr<files::Metrics> file_metrics() {
  return metrics();
}

void forget_file_metrics() {
  new std::shared_ptr<files::Metrics>(
      metrics());  // left alone: its lock may be held by a thread of the parent
  metrics() = std::make_shared<files::Metrics>();
}

void bind_metrics(py::module_& core) {
  core.def("file_metrics", &snapshot);
  core.attr("FILE_SECONDS") = py::tuple(py::cast(files::MetricsSnapshot::kBounds));
}

}  // namespace penstock::python
