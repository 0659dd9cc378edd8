// One function a room; module.cpp calls them in the order the rooms stand in.
#pragma once

#include <memory>

#include <pybind11/pybind11.h>

#include "penstock/files/metrics.h"
#include "penstock/http/client.h"
#include "penstock/sqs/client.h"
#include "penstock/store/object_store.h"

namespace penstock::python {

void bind_base(pybind11::module_& core);
void bind_streams(pybind11::module_& core);
void bind_codecs(pybind11::module_& core);
void bind_store(pybind11::module_& core);
void bind_http(pybind11::module_& core);
void bind_aws(pybind11::module_& core);
void bind_s3(pybind11::module_& core);
void bind_sqs(pybind11::module_& core);
void bind_kv(pybind11::module_& core);
void bind_files(pybind11::module_& core);
void bind_metrics(pybind11::module_& core);
void bind_bid(pybind11::module_& core);
void bind_bundle(pybind11::module_& core);
void bind_bundles(pybind11::module_& core);
void bind_unpack(pybind11::module_& core);
void bind_bundle_zip(pybind11::module_& core);

// The classes are of Python's own metaclass: nothing subclasses them or sets their static properties.
inline pybind11::metaclass plain_type() {
  return pybind11::metaclass(reinterpret_cast<PyObject*>(&PyType_Type));
}

// The process's default client, made on first use with the log sink of Python's logger `penstock`.
std::shared_ptr<http::Client> default_client();
void close_default_client();

// What this process did with files. With the GIL held.
std::shared_ptr<files::Metrics> file_metrics();
void forget_file_metrics();  // in a forked child: what the parent did is the parent's

// An ObjectStore as Python holds it.
struct StoreHandle {
  std::shared_ptr<store::ObjectStore> store;
};

// A queue as Python holds it.
struct Queue {
  std::shared_ptr<sqs::Client> client;
};

}  // namespace penstock::python
