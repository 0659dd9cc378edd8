// An S3Store as Python holds it: a Store that also knows what only S3 has.
#pragma once

#include <memory>
#include <utility>

#include <pybind11/pybind11.h>

#include "penstock/s3/s3_store.h"

#include "bind.h"

namespace penstock::python {

struct S3Handle : StoreHandle {
  explicit S3Handle(std::shared_ptr<s3::S3Store> made) : StoreHandle{made}, s3(std::move(made)) {}
  std::shared_ptr<s3::S3Store> s3;
};
using S3Class = pybind11::class_<S3Handle, StoreHandle>;

void bind_uploads(S3Class& store);  // resuming and sweeping

}  // namespace penstock::python
