// A bundle that Python owns.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "penstock/bundles/staged_bundle.h"

#include "await.h"
#include "bundle_values.h"
#include "gil.h"
#include "py_source.h"

namespace penstock::python {

// Runs `work`, which may wait, without the GIL: on a worker if this thread runs an event loop, else here.
void aside(const std::function<void()>& work);

// Its adds and steps run in parallel; dropping it abandons it.
class BundleHandle {
 public:
  BundleHandle(std::unique_ptr<bundles::StagedBundle> bundle, bundles::BundleRef ref)
      : bundle_(std::move(bundle)), ref_(std::move(ref)) {}
  ~BundleHandle() {
    const auto dropped = std::make_shared<std::unique_ptr<bundles::StagedBundle>>(std::move(bundle_));
    if ((*dropped)->state() != bundles::State::completed) aside([dropped] { dropped->reset(); });
  }
  bundles::StagedBundle& operator*() const { return *bundle_; }
  bundles::StagedBundle* operator->() const { return bundle_.get(); }
  const bundles::BundleRef& ref() const { return ref_; }

 private:
  std::unique_ptr<bundles::StagedBundle> bundle_;
  bundles::BundleRef ref_;
};
using BundlePointer = std::shared_ptr<BundleHandle>;

// A group that Python owns, and what it is a group of, which outlives it. A job that is inside when it is
// closed keeps the group until it ends.
class GroupHandle {
 public:
  GroupHandle(std::shared_ptr<void> of, std::unique_ptr<bundles::Group> group)
      : group_(group.release(), [of = std::move(of)](bundles::Group* last) {
          const Ungil ungil;
          delete last;
        }) {}
  // Throws std::invalid_argument once it is closed. With the GIL held, as close().
  std::shared_ptr<bundles::Group> group() const {
    if (!group_) throw std::invalid_argument("the group is closed");
    return group_;
  }
  void close() { group_.reset(); }

 private:
  std::shared_ptr<bundles::Group> group_;
};
using GroupPointer = std::shared_ptr<GroupHandle>;

// What a job adds to, and keeps meanwhile.
template <class To>
auto kept(const std::shared_ptr<To>& to) {
  return std::shared_ptr<std::remove_reference_t<decltype(**to)>>(to, &**to);
}
inline std::shared_ptr<bundles::Group> kept(const GroupPointer& to) {
  return to->group();
}

// What is added to `to`: a bundle, a group, a zip. With the GIL held.
template <class To>
py::object add_resource(const std::shared_ptr<To>& to, const py::dict& resource,
                        const std::shared_ptr<SourceHandle>& body, const CallPointer& state,
                        const py::object& loop) {
  return perform(state, loop, [to = kept(to), resource = resource_from(resource), body](const Call& call) {
    Attentive attentive{*body, call};
    return to->add(resource, attentive, call);
  });
}

}  // namespace penstock::python
