#include "penstock/bundles/staged_bundle.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/linked_stop.h"
#include "penstock/bundles/conflict.h"
#include "penstock/bundles/owner.h"
#include "penstock/bundles/telling.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/stages.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kTokenBytes = 64;  // of a marker's token or a digest in hex

std::string record_of(const Sealed& sealed, Marker marker) {
  return to_text({.ref = sealed.ref,
                  .metadata = sealed.metadata,
                  .written = sealed.receipt.completed_at,
                  .marker = std::move(marker),
                  .owner = this_owner()});
}

}  // namespace

StagedBundle::StagedBundle(BundleRef ref, Recipe recipe, std::shared_ptr<Staging> staging,
                           std::shared_ptr<const Services> services)
    : ref_(std::move(ref)),
      recipe_(std::move(recipe)),
      staging_(std::move(staging)),
      services_(std::move(services)),
      lifecycle_(std::make_shared<Lifecycle>(
          [staging = staging_, services = services_, bid = ref_.bid](std::string_view why) {
            tell_abandoned(*services, bid, why);
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
  const std::string name =
      names_.take(staging_->base_name(resource), resource.url, staging_->max_name_bytes());
  try {
    StoredResource stored = put(name, resource, body, call, members);
    if (members) {
      manifest.append_container(line_of(resource, stored), *members);
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

void StagedBundle::restate(const BundleRef& now) {
  if (is_sealed_) return;
  ref_.primary_url = now.primary_url;
  ref_.resources_count = now.resources_count;
  ref_.meta = now.meta;
  if (now.storage_key) ref_.storage_key = now.storage_key;
}

const Sealed& StagedBundle::seal(const Json& metadata, const Call& call) {
  if (is_sealed_) return sealed_;
  const base::LinkedStop stop{call.stop, lifecycle_->completing_stop()};
  const Call own{stop.token(), call.deadline, call.progress};
  Sealed sealed{.ref = ref_, .metadata = metadata};
  if (!sealed.ref.storage_key) sealed.ref.storage_key = staging_->storage_key();
  sealed.receipt.completed_at = timestamp(services_->clock->wall());
  check_tellable(sealed);
  lifecycle_->wait_for_adds(own);
  names_.clear();
  check_complete();
  const Totals totals = manifest_.totals();
  sealed.receipt = {.bid = ref_.bid,
                    .storage_key = *sealed.ref.storage_key,
                    .location = staging_->marker_location(),
                    .resources_stored = totals.stored,
                    .resources_failed = totals.failed,
                    .bytes = totals.bytes,
                    .manifest_sha256 = manifest_.sha256(),
                    .completed_at = sealed.receipt.completed_at};
  staging_->seal(sealed, manifest_, own);
  sealed_ = std::move(sealed);
  is_sealed_ = true;
  return sealed_;
}

// Whether it can be announced and written down, with the longest numbers there can be.
void StagedBundle::check_tellable(Sealed sealed) const {
  sealed.receipt.resources_stored = sealed.receipt.bytes = UINT64_MAX;
  sealed.receipt.manifest_sha256.assign(kTokenBytes, '0');
  if (services_->notifier) services_->notifier->check(sealed, recipe_.id);
  if (services_->pending_policy == Pending::off) return;
  Marker marker = staging_->marker();
  marker.token.assign(kTokenBytes, '0');
  try {
    parse_pending(record_of(sealed, std::move(marker)));
  } catch (const Error& error) {
    throw Error{Kind::refused,
                "nothing was published, for recovery could not read back what is to be written down first: " +
                    error.message(),
                {.side = Side::sink,
                 .doing = "complete a bundle",
                 .code = error.facts().code,
                 .cause = std::make_shared<Error>(error)}};
  }
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
  return record_of(sealed_, staging_->marker());
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
    in_doubt_ |= error.kind() == Kind::in_doubt;
    // After a try in doubt only another's marker says that ours is not there.
    if (!in_doubt_ || error.kind() == Kind::conflict) lifecycle_->not_committed();
    throw;
  } catch (...) {
    if (!in_doubt_) lifecycle_->not_committed();
    throw;
  }
  committed_ = true;
}

void StagedBundle::tell(const Call& call) {
  if (!std::exchange(called_back_, true)) callback_failure_ = call_back(*services_, recipe_, sealed_.ref);
  if (!published_) published_ = announce(call);
  const auto failure = std::exchange(callback_failure_, nullptr);
  if (failure && services_->callback_errors == CallbackErrors::raise) std::rethrow_exception(failure);
  if (published_) remove_pending(call);
}

// False: left to recovery.
bool StagedBundle::announce(const Call& call) {
  try {
    publish_with_retries(*services_, sealed_, recipe_.id, call);
    return true;
  } catch (const Error& error) {
    if (services_->publish_errors == PublishErrors::raise) throw;
    log(LogLevel::error, "it could not be announced, which recovery will do: " + error.message());
    return false;
  }
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
  throw there->committed() ? already_completed(bid) : already_open(bid);
}

void OpenBundles::enter(const std::string& bid, const std::shared_ptr<Lifecycle>& lifecycle) {
  const std::lock_guard lock{mutex_};
  by_bid_[bid] = lifecycle;
}

}  // namespace penstock::bundles
