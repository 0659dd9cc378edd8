// A bundle whose resources lie in a Staging: adds, the manifest, and the protocol that completes it.
#pragma once

#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "penstock/base/log.h"
#include "penstock/bundles/bundle.h"
#include "penstock/bundles/lifecycle.h"
#include "penstock/bundles/manifest.h"
#include "penstock/bundles/names.h"
#include "penstock/bundles/services.h"
#include "penstock/bundles/staging.h"

namespace penstock::bundles {

class StagedBundle : public Bundle {
 public:
  StagedBundle(BundleRef ref, Recipe recipe, std::shared_ptr<Staging> staging,
               std::shared_ptr<const Services> services);
  ~StagedBundle() override;

  StoredResource add(const Resource& resource, Source& body, const Call& call = {}) override;
  std::unique_ptr<Group> open_group() override;
  StoredResource add_container(const Resource& resource, Source& body, const Manifest& members,
                               const Call& call = {}) override;
  BundleReceipt finish(const Json& metadata, const Call& call = {}) override;
  void abort(std::string_view why) noexcept override;
  State state() const override { return lifecycle_->state(); }

  // finish(), step by step, for who tells others by itself: begin() as Lifecycle::begin_completing, the
  // steps, then completed(). Or failed() after any of them, and from begin() on again does what is
  // outstanding.
  bool begin(const Call& call) { return lifecycle_->begin_completing(call); }
  // What its owner says of it by now: primary_url, resources_count, meta, and storage_key if that is set.
  // Between begin() and seal().
  void restate(const BundleRef& now);
  const Sealed& seal(const Json& metadata, const Call& call);  // once sealed it stays as it is
  void write_pending(const Call& call);
  void commit(const Call& call);  // once committed it has no effect
  void clean_up(const Call& call) noexcept { staging_->clean_up(call); }
  void remove_pending(const Call& call);
  void completed() { lifecycle_->completed(); }
  void failed(std::exception_ptr why) { lifecycle_->failed(std::move(why)); }

  // Once sealed.
  std::string pending_record() const;
  BundleReceipt receipt() const;

  Totals totals() const { return manifest_.totals(); }
  bool committed() const { return committed_; }
  const BundleRef& ref() const { return ref_; }
  const std::shared_ptr<Lifecycle>& lifecycle() const { return lifecycle_; }

 private:
  class Members;
  StoredResource store(const Resource& resource, Source& body, const Call& call, Manifest& manifest,
                       const Manifest* members = nullptr);
  StoredResource put(const std::string& name, const Resource& resource, Source& body, const Call& call,
                     const Manifest* members);
  void carry_out(const Json& metadata, const Call& call);
  void check_tellable(Sealed sealed) const;
  void check_complete() const;
  void tell(const Call& call);
  bool announce(const Call& call);
  bool writes_pending() const;
  void log(LogLevel level, const std::string& line) const;

  BundleRef ref_;
  Recipe recipe_;
  std::shared_ptr<Staging> staging_;
  std::shared_ptr<const Services> services_;
  std::shared_ptr<Lifecycle> lifecycle_;
  NameBook names_;
  Manifest manifest_;
  // Of completing: one thread at a time, as Lifecycle sees to.
  Sealed sealed_;
  bool is_sealed_ = false, written_ = false, called_back_ = false, published_ = false;
  bool in_doubt_ = false;                // a try to commit was
  std::exception_ptr callback_failure_;  // the first, until finish() has thrown it
  std::atomic<bool> committed_{false};
};

// The bundles of a storage that are under way, by BID.
class OpenBundles {
 public:
  // Throws Error(conflict) unless what is there under this BID gives way.
  void make_way(const std::string& bid);
  void enter(const std::string& bid, const std::shared_ptr<Lifecycle>& lifecycle);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Lifecycle>> by_bid_;
};

}  // namespace penstock::bundles
