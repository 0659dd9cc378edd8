// A bundle that Python owns.
#pragma once

#include <memory>
#include <stdexcept>
#include <utility>

#include "penstock/bundles/staged_bundle.h"

#include "await.h"
#include "bundle_values.h"
#include "gil.h"
#include "py_source.h"

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

// A group that Python owns, and what it is a group of, which outlives it.
class GroupHandle {
 public:
  GroupHandle(std::shared_ptr<void> of, std::unique_ptr<bundles::Group> group)
      : of_(std::move(of)), group_(std::move(group)) {}
  ~GroupHandle() { close(); }
  bundles::Group& operator*() const {
    if (!group_) throw std::invalid_argument("the group is closed");
    return *group_;
  }
  void close() {
    const Ungil ungil;
    group_.reset();
  }

 private:
  std::shared_ptr<void> of_;
  std::unique_ptr<bundles::Group> group_;
};
using GroupPointer = std::shared_ptr<GroupHandle>;

// What is added to `to`: a bundle, a group, a zip. With the GIL held.
template <class To>
py::object add_resource(const std::shared_ptr<To>& to, const py::dict& resource,
                        const std::shared_ptr<SourceHandle>& body, const CallPointer& state,
                        const py::object& loop) {
  return perform(state, loop, [to, resource = resource_from(resource), body](const Call& call) {
    Attentive attentive{*body, call};
    return (**to).add(resource, attentive, call);
  });
}

}  // namespace penstock::python
