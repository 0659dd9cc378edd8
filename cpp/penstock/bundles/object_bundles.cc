#include "penstock/bundles/object_bundles.h"

#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "penstock/base/wait.h"
#include "penstock/bundles/claim.h"
#include "penstock/bundles/conflict.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/object_staging.h"
#include "penstock/bundles/owner.h"
#include "penstock/bundles/telling.h"
#include "penstock/bundles/uploads.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kRemoveAtOnce = 1000;

std::shared_ptr<const Services> services_of(const std::shared_ptr<store::ObjectStore>& store,
                                            ObjectBundlesOptions& options) {
  if (!options.uploads)
    options.uploads =
        std::make_shared<StorePendingLog>(store, beside(options.layout, options.prefix, "_uploads"));
  Services services = std::move(options.services);
  if (!services.pending && services.pending_policy != Pending::off)
    services.pending =
        std::make_shared<StorePendingLog>(store, beside(options.layout, options.prefix, "_pending"));
  return std::make_shared<const Services>(std::move(services));
}

// The objects of one bundle as a listing passes them by.
struct Seen {
  OwnedKey bundle{};
  bool marked = false, claimed = false;
  std::optional<WallTime> youngest{};
};

void remove_all(store::ObjectStore& store, const std::string& prefix, const std::string& but,
                const Call& call) {
  std::vector<std::string> keys;
  const auto listing = store.list(prefix, {}, call);
  for (auto object = listing->next();; object = listing->next()) {
    if (object && object->key != but) keys.push_back(object->key);
    if (keys.size() < kRemoveAtOnce && object) continue;
    const store::RemoveReport report = store.remove_many(keys, call);  // of none: no request
    if (!report.errors.empty()) throw report.errors.begin()->second;
    keys.clear();
    if (!object) return;
  }
}

}  // namespace

ObjectBundles::ObjectBundles(std::shared_ptr<store::ObjectStore> store, ObjectBundlesOptions options)
    : store_(std::move(store)), options_(std::move(options)), services_(services_of(store_, options_)) {}

std::unique_ptr<Bundle> ObjectBundles::start(BundleRef& ref, const Recipe& recipe, const Call& call) {
  return start_staged(ref, recipe, call);
}

std::unique_ptr<StagedBundle> ObjectBundles::start_staged(BundleRef& ref, const Recipe& recipe,
                                                          const Call& call) {
  open_.make_way(ref.bid);
  const WallTime now = services_->clock->wall();
  const BundleKeys keys = keys_of(options_.layout, options_.prefix, ref.bid, now);
  std::optional<Claim> claim;
  if (options_.claims && is_custom(ref.bid)) {
    claim.emplace(*store_, ref.bid, keys, now, options_.sweep_after).take(call);
  } else if (options_.looks) {
    refuse_completed(ref.bid, keys.marker, call);
  }
  const bool undisputed = claim && claim->is_undisputed();
  if (!ref.storage_key) ref.storage_key = keys.content;
  const auto staging = std::make_shared<ObjectStaging>(store_, options_.uploads,
                                                       ObjectStaging::Of{.ref = ref,
                                                                         .recipe_id = recipe.id,
                                                                         .layout = options_.layout,
                                                                         .keys = keys,
                                                                         .claim = std::move(claim)});
  try {
    if (undisputed) remove_earlier_try(keys, call);
    if (!keys.discovered.empty()) {
      const std::string text = discovered_text(ref, timestamp(now));
      store_->put(keys.discovered, as_bytes(text), {.content_type = "application/json"}, call);
    }
    auto bundle = std::make_unique<StagedBundle>(ref, recipe, staging, services_);
    open_.enter(ref.bid, bundle->lifecycle());
    return bundle;
  } catch (...) {
    staging->discard("it could not be started");
    throw;
  }
}

// Before anything is put: the marker's own condition would refuse this bundle only once its resources lie
// over those of the other. Who may write but not look has that alone.
void ObjectBundles::refuse_completed(const std::string& bid, const std::string& marker, const Call& call) {
  try {
    if (store_->exists(marker, call)) throw already_completed(bid);
  } catch (const Error& error) {
    if (error.kind() != Kind::denied) throw;
  }
}

// What it has left would be no part of this bundle. Where a list or removal is not allowed it stays: no
// manifest names it.
void ObjectBundles::remove_earlier_try(const BundleKeys& keys, const Call& call) {
  if (options_.layout == KeyLayout::fetcher) return;  // where others' objects may begin so too
  try {
    remove_all(*store_, keys.root, keys.claim, call);
  } catch (const Error& error) {
    if (error.kind() != Kind::denied) throw;
    say(*services_, LogLevel::info, "what an earlier try has left stays: " + error.message());
  }
}

Found ObjectBundles::look(const Marker& marker, const Call& call) {
  const auto there = store_->find(marker.key, call);
  if (!there) return Found::nothing;
  return is_marker_of(marker.token, *there) ? Found::ours : Found::anothers;
}

std::uint64_t ObjectBundles::abort_orphans(const Recipe& recipe, const Call& call) {
  std::uint64_t aborted = 0;
  options_.uploads->each(
      recipe.id,
      [&](const FoundRecord& record) {
        base::check(call, "abort uploads of dead processes");
        try {
          aborted += abort_of(record, recipe, call);
        } catch (const Error& error) {
          if (ends_run(error, call)) throw;
          say(*services_, LogLevel::warning, "uploads of a dead process stay: " + error.message());
        }
        return true;
      },
      call);
  return aborted;
}

// False: there is nothing to abort, or not yet.
bool ObjectBundles::abort_of(const FoundRecord& record, const Recipe& recipe, const Call& call) {
  if (record.unread) throw *record.unread;
  const auto note = parse_upload_note(record.text);
  if (!note) return false;
  if (!is_given_up(note->owner, note->written, services_->clock->wall(), options_.sweep_after)) return false;
  store_->abort_uploads(note->root, call);
  if (!note->content.starts_with(note->root)) {  // then others' begin so too: custom-10 for custom-1
    store_->abort_uploads_of(note->content, call);
    store_->abort_uploads(note->content + "/", call);
  }
  options_.uploads->remove(recipe.id, note->bid, call);
  return true;
}

RecoveryReport ObjectBundles::recover(const Recipe& recipe, const Call& call) {
  RecoveryReport report;
  sweep_in_time(report, call, [&] { return abort_orphans(recipe, call); });
  recover_pending(
      *services_, recipe, [&](std::span<const std::string> records) { return judge(records, call); }, report,
      call);
  return report;
}

// A bundle that is visible needs no claim any more: its owner may have been killed before he removed it.
void ObjectBundles::free_claims(std::vector<Judged>& judged, const Call& call) {
  std::multimap<std::string, Judged*> claims;
  for (Judged& one : judged) {
    if (one.verdict != Verdict::tell || !one.record->marker) continue;
    const auto bundle = bundle_of(options_.layout, options_.prefix, one.record->marker->key);
    if (bundle) claims.emplace(bundle->claim, &one);
  }
  std::set<std::string> keys;
  for (const auto& [key, one] : claims) keys.insert(key);
  const auto kept = remove_keys(*store_, std::vector<std::string>{keys.begin(), keys.end()}, call);
  for (auto& [key, one] : claims) {
    const auto failure = kept.find(key);
    if (failure == kept.end()) continue;
    one->verdict.reset();
    one->error = failure->second;
  }
}

std::uint64_t ObjectBundles::sweep(const SweepOptions& options, const Call& call) {
  if (!options.remove) return 0;
  if (options_.layout == KeyLayout::fetcher)
    throw Error{Kind::refused,
                "in the layout fetcher the objects of a bundle lie where others may too: remove them by hand",
                {.doing = "sweep bundles"}};
  const WallTime old = services_->clock->wall() - options_.sweep_after;
  std::uint64_t swept = 0;
  Seen seen;
  const auto done = [&] {
    if (seen.bundle.root.empty()) return;
    if (seen.marked && seen.claimed) store_->remove(seen.bundle.claim, {}, call);  // of who was killed then
    if (seen.marked || !seen.youngest || *seen.youngest > old) return;
    if (store_->exists(seen.bundle.marker, call)) return;  // published since it was listed
    remove_all(*store_, seen.bundle.root, {}, call);
    ++swept;
  };
  const auto listing = store_->list(bundles_prefix(options_.layout, options_.prefix), {}, call);
  while (const auto object = listing->next()) {
    const auto bundle = bundle_of(options_.layout, options_.prefix, object->key);
    if (!bundle) continue;
    if (bundle->root != seen.bundle.root) {
      done();
      seen = {.bundle = *bundle};
    }
    seen.marked |= object->key == bundle->marker;
    seen.claimed |= object->key == bundle->claim;
    if (object->last_modified && (!seen.youngest || *object->last_modified > *seen.youngest))
      seen.youngest = object->last_modified;
  }
  done();
  return swept;
}

std::vector<Judged> ObjectBundles::judge(std::span<const std::string> records, const Call& call) {
  const auto look_at = [&](const Marker& marker) { return look(marker, call); };
  auto judged = judge_all(records, look_at, services_->clock->wall(), call);
  if (options_.claims) free_claims(judged, call);
  return judged;
}

std::vector<std::string> ObjectBundles::pending(const std::string& recipe_id, const Call& call) {
  return pending_records(*services_, recipe_id, call);
}

std::map<std::string, Error> ObjectBundles::remove_pending(const std::string& recipe_id,
                                                           std::span<const std::string> bids,
                                                           const Call& call) {
  if (!services_->pending) return {};
  return services_->pending->remove_many(recipe_id, bids, call);
}

std::uint64_t ObjectBundles::sweep_recipe(const Recipe& recipe, const Call& call) {
  return abort_orphans(recipe, call);
}

}  // namespace penstock::bundles
