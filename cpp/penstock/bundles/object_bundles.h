// Bundles in an object store: resources, a manifest, and last a marker. A prefix is a bundle if its marker is
// there. Who starts one of a chosen BID removes what an earlier try has left there, except in the layout
// fetcher, where others' objects may lie between, or if that try's owner may still be at work.
//
// Threads:  shared freely, by several processes too.
// Failure:  Error(conflict) for a BID under way or completed; Error(in_doubt) from finish() when the answer
//           to the marker was lost and could not be settled: finish() again looks.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/bundles/layout.h"
#include "penstock/bundles/recovery.h"
#include "penstock/bundles/staged_bundle.h"
#include "penstock/store/object_store.h"

namespace penstock::bundles {

struct ObjectBundlesOptions {
  std::string prefix{};
  KeyLayout layout = KeyLayout::doc;
  bool claims = true;  // false: two who chose one BID are told apart only by the marker
  bool looks = true;   // false: start() does not ask whether a bundle of its BID is completed
  // A claim or upload of an owner that may live is taken over after it.
  std::chrono::milliseconds sweep_after = std::chrono::hours{24};
  // Who began multipart uploads, for who must abort them if he dies; null: objects `{p}/_uploads/`.
  std::shared_ptr<PendingLog> uploads{};
  // pending unset: objects `{p}/_pending/`.
  Services services{};
};

class ObjectBundles : public BundleStorage {
 public:
  explicit ObjectBundles(std::shared_ptr<store::ObjectStore> store, ObjectBundlesOptions options = {});

  std::unique_ptr<Bundle> start(BundleRef& ref, const Recipe& recipe, const Call& call = {}) override;
  std::unique_ptr<StagedBundle> start_staged(BundleRef& ref, const Recipe& recipe, const Call& call = {});
  RecoveryReport recover(const Recipe& recipe, const Call& call = {}) override;
  // Finished objects of bundles without a marker go only with `remove`, and only if none of them is younger
  // than sweep_after: returns how many bundles went. A claim beside a marker goes too.
  std::uint64_t sweep(const SweepOptions& options = {}, const Call& call = {}) override;

  Found look(const Marker& marker, const Call& call = {});
  // Aborts the uploads of dead owners that the recipe's records tell of; how many records it removed.
  std::uint64_t abort_orphans(const Recipe& recipe, const Call& call = {});

  // For who keeps the records and tells others himself, step by step.
  std::vector<Judged> judge(std::span<const std::string> records, const Call& call = {});
  std::vector<std::string> pending(const std::string& recipe_id, const Call& call = {});
  // Those that could not be removed, by BID.
  std::map<std::string, Error> remove_pending(const std::string& recipe_id, std::span<const std::string> bids,
                                              const Call& call = {});
  std::uint64_t sweep_recipe(const Recipe& recipe, const Call& call = {});  // what recover() sweeps

 private:
  void refuse_completed(const std::string& bid, const std::string& marker, const Call& call);
  void remove_earlier_try(const BundleKeys& keys, const Call& call);
  bool abort_of(const FoundRecord& record, const Recipe& recipe, const Call& call);
  void free_claims(std::vector<Judged>& judged, const Call& call);

  std::shared_ptr<store::ObjectStore> store_;
  ObjectBundlesOptions options_;
  std::shared_ptr<const Services> services_;
  OpenBundles open_;
};

}  // namespace penstock::bundles
