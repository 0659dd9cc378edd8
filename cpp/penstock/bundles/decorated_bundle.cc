#include "penstock/bundles/decorated_bundle.h"

#include "penstock/base/linked_stop.h"

namespace penstock::bundles {

DecoratedBundle::DecoratedBundle(std::shared_ptr<Bundle> to, std::function<void(std::string_view)> discard)
    : to_(std::move(to)),
      discard_(std::move(discard)),
      lifecycle_(std::make_shared<Lifecycle>([to = to_, discard = discard_](std::string_view why) {
        if (discard) discard(why);
        to->abort(why);
      })) {}

StoredResource DecoratedBundle::add_container(const Resource& resource, Source& body, const Manifest& members,
                                              const Call& call) {
  const Lifecycle::Add under_way = begin_add();
  const base::LinkedStop stop{call.stop, under_way.stop()};
  return to_->add_container(resource, body, members, {stop.token(), call.deadline, call.progress});
}

BundleReceipt DecoratedBundle::finish(const Json& metadata, const Call& call) {
  if (!lifecycle_->begin_completing(call)) return receipt_;
  try {
    const base::LinkedStop stop{call.stop, lifecycle_->completing_stop()};
    const Call own{stop.token(), call.deadline, call.progress};
    lifecycle_->wait_for_adds(own);
    close(own);
    receipt_ = to_->finish(metadata, call);
  } catch (...) {
    lifecycle_->failed(std::current_exception());
    throw;
  }
  lifecycle_->completed();
  return receipt_;
}

// Once it completes the bundle underneath knows whether it is too late.
void DecoratedBundle::abort(std::string_view why) noexcept {
  const State before = lifecycle_->state();
  if (before == State::completed) return;
  if (discard_) discard_(why);  // first: adds may wait for what it ends
  if (before == State::open || before == State::adding) {
    lifecycle_->abandon(why);
    return;
  }
  to_->abort(why);
  if (to_->state() == State::abandoned) lifecycle_->abandon(why);
}

State DecoratedBundle::state() const {
  return to_->state() == State::abandoned ? State::abandoned : lifecycle_->state();
}

}  // namespace penstock::bundles
