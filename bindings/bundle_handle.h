// A bundle that Python owns.
#pragma once

#include <memory>
#include <utility>

#include "penstock/bundles/staged_bundle.h"

#include "gil.h"

namespace penstock::python {

// Its adds and steps run in parallel; dropping it abandons it, without the GIL.
class BundleHandle {
 public:
  BundleHandle(std::unique_ptr<bundles::StagedBundle> bundle, bundles::BundleRef ref)
      : bundle_(std::move(bundle)), ref_(std::move(ref)) {}
  ~BundleHandle() {
    const Ungil ungil;
    bundle_.reset();
  }
  bundles::StagedBundle& operator*() const { return *bundle_; }
  bundles::StagedBundle* operator->() const { return bundle_.get(); }
  const bundles::BundleRef& ref() const { return ref_; }

 private:
  std::unique_ptr<bundles::StagedBundle> bundle_;
  bundles::BundleRef ref_;
};
using BundlePointer = std::shared_ptr<BundleHandle>;

}  // namespace penstock::python
