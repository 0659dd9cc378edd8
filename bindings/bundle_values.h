// Values of bundles, to and from Python. All of it with the GIL held.
#pragma once

#include <string>

#include <pybind11/pybind11.h>

#include "penstock/bundles/bundle.h"
#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/object_bundles.h"
#include "penstock/bundles/recovery.h"

namespace penstock::python {

namespace py = pybind11;

bundles::BundleRef bundle_ref_from(const py::dict& ref);  // as to_python() gives it

// url content_type status_code derived_from=(url, bytes, codec) mismatch
bundles::Resource resource_from(const py::dict& given);
py::object to_python(const std::optional<bundles::DerivedFrom>& from);  // that tuple, or None

// Throws Refused for text that is no JSON object.
bundles::Json json_from(const std::string& given);

// strict pending callback_errors publish_errors pending_without_callbacks queue
bundles::Services services_from(const py::dict& options);
bundles::FolderBundlesOptions folder_options(const py::dict& options);
bundles::ObjectBundlesOptions object_options(const py::dict& options);

}  // namespace penstock::python
