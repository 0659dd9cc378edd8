// A bundle around another: what decorators of storages share. Internal to the room.
//
// Its adds are under way from their beginning, before the bundle underneath knows of them: finish() waits for
// both.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "penstock/bundles/bundle.h"
#include "penstock/bundles/lifecycle.h"

namespace penstock::bundles {

class DecoratedBundle : public Bundle {
 public:
  ~DecoratedBundle() override { lifecycle_->abandon("it was dropped unfinished"); }
  DecoratedBundle(const DecoratedBundle&) = delete;
  DecoratedBundle& operator=(const DecoratedBundle&) = delete;

  StoredResource add_container(const Resource& resource, Source& body, const Manifest& members,
                               const Call& call) override;
  BundleReceipt finish(const Json& metadata, const Call& call) override;
  void abort(std::string_view why) noexcept override;
  State state() const override;

 protected:
  // `discard`: of what stands on `to`, before `to` itself is aborted.
  explicit DecoratedBundle(std::shared_ptr<Bundle> to,
                           std::function<void(std::string_view why)> discard = {});

  Bundle& to() const { return *to_; }
  const std::shared_ptr<Lifecycle>& lifecycle() const { return lifecycle_; }
  Lifecycle::Add begin_add() { return lifecycle_->begin_add(); }
  // No add is under way, and none will come. May be repeated.
  virtual void close(const Call&) {}

 private:
  std::shared_ptr<Bundle> to_;
  std::function<void(std::string_view)> discard_;
  std::shared_ptr<Lifecycle> lifecycle_;
  BundleReceipt receipt_;  // who completes writes it, and reads of it come after
};

}  // namespace penstock::bundles
