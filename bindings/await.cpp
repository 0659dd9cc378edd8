#include "await.h"

#include <vector>

namespace penstock::python {
namespace {

struct Batch {
  py::object loop;
  py::list settled;
};
std::vector<Batch> batches;  // the notifier thread's alone, and only under the GIL

}  // namespace

void settle_later(const Kept& loop, const Kept& future, const py::object& value, const py::object& error) {
  py::tuple entry = py::make_tuple(*future, value, error);
  for (Batch& batch : batches)
    if (batch.loop.is(*loop)) return batch.settled.append(std::move(entry));
  batches.push_back({*loop, py::list{}});
  batches.back().settled.append(std::move(entry));
}

void deliver_settled() {
  if (batches.empty()) return;
  auto ready = std::exchange(batches, {});
  try {
    py::object settle = py::module_::import("penstock._loop").attr("settle");
    for (Batch& batch : ready) settle(batch.loop, batch.settled);
  } catch (py::error_already_set& raised) {
    raised.discard_as_unraisable("penstock completions");
  }
}

}  // namespace penstock::python
