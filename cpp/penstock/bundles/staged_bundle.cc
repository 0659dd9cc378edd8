#include "penstock/bundles/staged_bundle.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/backoff.h"
#include "penstock/base/linked_stop.h"
#include "penstock/base/wait.h"
#include "penstock/bundles/owner.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/stages.h"

namespace penstock::bundles {
namespace {

constexpr int kPublishAttempts = 4;
constexpr std::chrono::milliseconds kPublishBase{500};
constexpr std::chrono::seconds kPublishWithin{30};

bool may_pass(const Error& error) {
  return error.kind() == Kind::busy || error.kind() == Kind::lost || error.kind() == Kind::in_doubt;
}

Call within(Call call, std::chrono::nanoseconds span) {
  const Deadline own = Deadline::after(span);
  if (!call.deadline.set() || *own.at() < *call.deadline.at()) call.deadline = own;
  return call;
}

std::string words_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an unknown exception";
  }
}

void say(const Services& services, LogLevel level, const std::string& line) {
  if (services.log) services.log(level, "bundles", line);
}

}  // namespace

void publish_with_retries(const Services& services, const Sealed& sealed, const std::string& recipe_id,
                          const Call& call) {
  if (!services.notifier) return;
  const Call bounded = within(call, kPublishWithin);
  Backoff backoff;
  for (int attempt = 1;; ++attempt) {
    try {
      return services.notifier->publish(sealed, recipe_id, bounded);
    } catch (const Error& error) {
      if (attempt == kPublishAttempts || !may_pass(error) || bounded.deadline.passed()) throw;
      say(services, LogLevel::warning,
          fmt::format("bundle {} could not be announced, trying again: {}", sealed.ref.bid, error.message()));
    }
    base::sleep(backoff.before_retry(attempt, kPublishBase), bounded, "announce a bundle");
  }
}

std::exception_ptr call_back(const Services& services, const Recipe& recipe, const BundleRef& ref) {
  std::exception_ptr first;
  for (const OnComplete& callback : recipe.on_complete) {
    try {
      callback(ref);
    } catch (...) {
      if (!first) first = std::current_exception();
      say(services, LogLevel::error,
          fmt::format("a completion callback of bundle {} failed: {}", ref.bid,
                      words_of(std::current_exception())));
    }
  }
  return first;
}

StagedBundle::StagedBundle(BundleRef ref, Recipe recipe, std::shared_ptr<Staging> staging,
                           std::shared_ptr<const Services> services)
    : ref_(std::move(ref)),
      recipe_(std::move(recipe)),
      staging_(std::move(staging)),
      services_(std::move(services)),
      lifecycle_(std::make_shared<Lifecycle>(
          [staging = staging_, services = services_, bid = ref_.bid](std::string_view why) {
            say(*services, LogLevel::warning, fmt::format("BUNDLE_ABANDONED {}: {}", bid, why));
            staging->discard(why);
          })),
      manifest_(staging_->spool_folder()) {}

StagedBundle::~StagedBundle() {
  lifecycle_->abandon("it was dropped unfinished");
}

void StagedBundle::abort(std::string_view why) noexcept {
  lifecycle_->abandon(why);
}

StoredResource StagedBundle::add(const Resource& resource, Source& body, const Call& call) {
  const Lifecycle::Add under_way = lifecycle_->begin_add();
  const base::LinkedStop stop{call.stop, under_way.stop()};
  return store(resource, body, {stop.token(), call.deadline, call.progress}, manifest_);
}

// What is stored, or nothing of it but a line.
StoredResource StagedBundle::store(const Resource& resource, Source& body, const Call& call,
                                   Manifest& manifest, const Manifest* members) {
  const std::string name = names_.take(staging_->base_name(resource), resource.url);
  try {
    StoredResource stored = put(name, resource, body, call, members);
    if (members) {
      manifest.append_note(line_of(resource, stored));
      manifest.append(*members);
    } else {
      manifest.append_stored(line_of(resource, stored), stored.bytes);
    }
    return stored;
  } catch (...) {
    staging_->withdraw(name);
    names_.give_back(name);
    manifest.append_failed(line_of_failed(resource, name, kind_of(std::current_exception())));
    throw;
  }
}

StoredResource StagedBundle::put(const std::string& name, const Resource& resource, Source& body,
                                 const Call& call, const Manifest* members) {
  Hash hashed{body, {Algorithm::sha256}};
  Count counted{hashed};
  staging_->put(name, resource, counted, call);
  StoredResource stored{.name = name,
                        .location = staging_->location(name),
                        .bytes = counted.bytes(),
                        .sha256 = hashed.digest(Algorithm::sha256).hex()};
  if (members) stored.members = members->totals().stored;
  staging_->describe(resource, stored, call);
  return stored;
}

StoredResource StagedBundle::add_container(const Resource& resource, Source& body, const Manifest& members,
                                           const Call& call) {
  const Lifecycle::Add under_way = lifecycle_->begin_add();
  const base::LinkedStop stop{call.stop, under_way.stop()};
  return store(resource, body, {stop.token(), call.deadline, call.progress}, manifest_, &members);
}

// What it holds is known by its lines, on disk: an archive may have very many members.
class StagedBundle::Members : public Group {
 public:
  explicit Members(StagedBundle& bundle)
      : bundle_(bundle),
        under_way_(bundle.lifecycle_->begin_add()),
        manifest_(bundle.staging_->spool_folder()) {}
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  ~Members() override {
    if (kept_) return;
    try {
      take_back_all();
    } catch (const std::exception& error) {
      bundle_.log(LogLevel::error,
                  fmt::format("members that were to be withdrawn are left: {}", error.what()));
    }
  }

  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    const base::LinkedStop stop{call.stop, under_way_.stop()};
    return bundle_.store(resource, body, {stop.token(), call.deadline, call.progress}, manifest_);
  }
  void withdraw(std::uint64_t number, std::string_view why) override { withdrawn_.emplace(number, why); }
  void skip(const Resource& resource, std::string_view why) override {
    manifest_.append_note(line_of_skipped(resource, why));
  }
  void fail(const Resource& resource, std::string_view kind) override {
    manifest_.append_failed(line_of_failed(resource, bundle_.staging_->base_name(resource), kind));
  }
  void keep() override {
    bundle_.manifest_.append(manifest_, withdrawn_);
    kept_ = true;
    if (withdrawn_.empty()) return;
    std::uint64_t number = 0;
    for (StoredNames names{manifest_.spool()}; const auto name = names.next(); ++number)
      if (withdrawn_.contains(number)) take_back(*name);
  }

 private:
  void take_back(const std::string& name) {
    bundle_.staging_->withdraw(name);
    bundle_.names_.give_back(name);
  }
  void take_back_all() {
    for (StoredNames names{manifest_.spool()}; const auto name = names.next();) take_back(*name);
    if (const auto line = last_failed(manifest_)) bundle_.manifest_.append_failed(*line);
  }

  StagedBundle& bundle_;
  Lifecycle::Add under_way_;
  Manifest manifest_;
  Withdrawn withdrawn_;
  bool kept_ = false;
};

std::unique_ptr<Group> StagedBundle::open_group() {
  return std::make_unique<Members>(*this);
}

BundleReceipt StagedBundle::finish(const Json& metadata, const Call& call) {
  if (!lifecycle_->begin_completing(call)) return receipt();
  try {
    carry_out(metadata, call);
  } catch (...) {
    lifecycle_->failed(std::current_exception());
    throw;
  }
  completed();
  return receipt();
}

void StagedBundle::carry_out(const Json& metadata, const Call& call) {
  seal(metadata, call);
  write_pending(call);
  commit(call);
  clean_up(call);
  tell(call);
}

const Sealed& StagedBundle::seal(const Json& metadata, const Call& call) {
  if (is_sealed_) return sealed_;
  const base::LinkedStop stop{call.stop, lifecycle_->completing_stop()};
  const Call own{stop.token(), call.deadline, call.progress};
  Sealed sealed{.ref = ref_, .metadata = metadata};
  if (!sealed.ref.storage_key) sealed.ref.storage_key = staging_->storage_key();
  sealed.receipt.completed_at = timestamp(services_->clock->wall());
  if (services_->notifier) services_->notifier->check(sealed, recipe_.id);
  lifecycle_->wait_for_adds(own);
  names_.clear();
  check_complete();
  const Totals totals = manifest_.totals();
  sealed.receipt.bid = ref_.bid;
  sealed.receipt.storage_key = *sealed.ref.storage_key;
  sealed.receipt.location = staging_->marker_location();
  sealed.receipt.resources_stored = totals.stored;
  sealed.receipt.resources_failed = totals.failed;
  sealed.receipt.bytes = totals.bytes;
  sealed.receipt.manifest_sha256 = manifest_.sha256();
  staging_->seal(sealed, manifest_, own);
  sealed_ = std::move(sealed);
  is_sealed_ = true;
  return sealed_;
}

void StagedBundle::check_complete() const {
  if (!services_->strict) return;
  const Totals totals = manifest_.totals();
  if (totals.failed == 0 && totals.stored == static_cast<std::uint64_t>(ref_.resources_count)) return;
  throw Error{Kind::refused,
              fmt::format("bundle {} is not complete: {} resources are stored, {} failed, {} were expected",
                          ref_.bid, totals.stored, totals.failed, ref_.resources_count),
              {.side = Side::sink, .doing = "complete a bundle", .code = std::string{code::kIncomplete}}};
}

bool StagedBundle::writes_pending() const {
  if (!services_->pending || services_->pending_policy == Pending::off) return false;
  return services_->pending_without_callbacks.value_or(true) || !recipe_.on_complete.empty();
}

std::string StagedBundle::pending_record() const {
  return to_text({.ref = sealed_.ref,
                  .metadata = sealed_.metadata,
                  .written = sealed_.receipt.completed_at,
                  .marker = staging_->marker(),
                  .owner = this_owner()});
}

void StagedBundle::write_pending(const Call& call) {
  if (written_ || committed_ || !writes_pending()) return;
  try {
    services_->pending->put(recipe_.id, ref_.bid, pending_record(), call);
    written_ = true;
  } catch (const Error& error) {
    if (error.kind() == Kind::cancelled || services_->pending_policy == Pending::required) {
      throw Error{error.kind() == Kind::cancelled ? Kind::cancelled : Kind::lost,
                  "nothing was published, for it could not be written down first: " + error.message(),
                  {.side = Side::sink,
                   .doing = "write a pending record",
                   .code = error.facts().code,
                   .cause = std::make_shared<Error>(error)}};
    }
    log(LogLevel::warning, "a pending record could not be written: " + error.message());
  }
}

void StagedBundle::commit(const Call& call) {
  if (committed_) return;
  lifecycle_->begin_commit();
  try {
    staging_->commit(call);
  } catch (const Error& error) {
    if (error.kind() != Kind::in_doubt) lifecycle_->not_committed();
    throw;
  } catch (...) {
    lifecycle_->not_committed();
    throw;
  }
  committed_ = true;
}

void StagedBundle::tell(const Call& call) {
  std::exception_ptr first;
  if (!std::exchange(called_back_, true)) first = call_back(*services_, recipe_, sealed_.ref);
  if (!published_) {
    try {
      publish_with_retries(*services_, sealed_, recipe_.id, call);
    } catch (const Error& error) {
      if (services_->publish_errors == PublishErrors::raise) throw;
      log(LogLevel::error, "it could not be announced, which recovery will do: " + error.message());
      return;
    }
    published_ = true;
  }
  if (first && services_->callback_errors == CallbackErrors::raise) std::rethrow_exception(first);
  remove_pending(call);
}

void StagedBundle::remove_pending(const Call& call) {
  if (!written_) return;
  try {
    services_->pending->remove(recipe_.id, ref_.bid, call);
    written_ = false;
  } catch (const Error& error) {
    log(LogLevel::warning, "its pending record could not be removed: " + error.message());
  }
}

BundleReceipt StagedBundle::receipt() const {
  return sealed_.receipt;
}

void StagedBundle::log(LogLevel level, const std::string& line) const {
  say(*services_, level, fmt::format("bundle {}: {}", ref_.bid, line));
}

void OpenBundles::make_way(const std::string& bid) {
  std::shared_ptr<Lifecycle> there;
  {
    const std::lock_guard lock{mutex_};
    std::erase_if(by_bid_, [](const auto& entry) { return entry.second.expired(); });
    if (const auto found = by_bid_.find(bid); found != by_bid_.end()) there = found->second.lock();
  }
  if (!there || there->make_way()) return;
  const bool committed = there->committed();
  throw Error{Kind::conflict,
              fmt::format("Bundle {} already {}", bid, committed ? "completed" : "open"),
              {.side = Side::sink,
               .doing = "start a bundle",
               .subject = bid,
               .code = std::string{committed ? code::kAlreadyCompleted : code::kAlreadyOpen}}};
}

void OpenBundles::enter(const std::string& bid, const std::shared_ptr<Lifecycle>& lifecycle) {
  const std::lock_guard lock{mutex_};
  by_bid_[bid] = lifecycle;
}

}  // namespace penstock::bundles
