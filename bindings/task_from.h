// A FileTask from the record that penstock.files.task.to_core() makes.
#pragma once

#include <pybind11/pybind11.h>

#include "penstock/files/task.h"

namespace penstock::python {

// Never throws for what is in the record: the first field that cannot be right is told in `malformed`, and
// whatever runs the task refuses it by that. With the GIL held.
files::FileTask task_from(const pybind11::dict& fields);

}  // namespace penstock::python
