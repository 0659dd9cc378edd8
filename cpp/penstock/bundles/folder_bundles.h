// Bundles in a folder: `bundle_{bid}/` appears whole or not at all.
//
// While a bundle is under way its files are in `.penstock/`, and an empty `bundle_{bid}/` claims its name. It
// is published by one rename over that claim. A folder is a bundle if it holds `bundle.meta`.
//
// Threads:  shared freely, by several processes too.
// Failure:  Error(conflict) for a BID under way or completed; Error(in_doubt) from finish() when only the
//           fsync after the rename failed.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/turn.h"
#include "penstock/bundles/instance.h"
#include "penstock/bundles/recovery.h"
#include "penstock/bundles/staged_bundle.h"

namespace penstock::bundles {

enum class Abandoned { quarantine, discard };

struct FolderBundlesOptions {
  bool create = true;                           // the folder, if it is not there
  Abandoned abandoned = Abandoned::quarantine;  // what is finished moves to incomplete_{bid}/
  std::chrono::hours keep_incomplete{24 * 7};   // then sweep() removes it
  bool legacy_repr = false;                     // sidecars and bundle.meta as Python prints a dict
  // pending unset: records in `.penstock/pending/`, of recipes with callbacks and where there is a notifier.
  Services services{};
};

class FolderBundles : public BundleStorage {
 public:
  explicit FolderBundles(const std::string& path, FolderBundlesOptions options = {});

  std::unique_ptr<Bundle> start(BundleRef& ref, const Recipe& recipe, const Call& call = {}) override;
  std::unique_ptr<StagedBundle> start_staged(BundleRef& ref, const Recipe& recipe, const Call& call = {});
  RecoveryReport recover(const Recipe& recipe, const Call& call = {}) override;
  std::uint64_t sweep(const SweepOptions& options = {}, const Call& call = {}) override;

  std::string path_of(const std::string& bid) const;

  // For who keeps the records and tells others himself, step by step.
  std::vector<Judged> judge(std::span<const std::string> records, const Call& call = {});
  std::vector<std::string> pending(const std::string& recipe_id, const Call& call = {});
  // Those that could not be removed, by BID.
  std::map<std::string, Error> remove_pending(const std::string& recipe_id, std::span<const std::string> bids,
                                              const Call& call = {});
  std::uint64_t sweep_recipe(const Recipe& recipe, const Call& call = {});  // what recover() sweeps

 private:
  std::shared_ptr<Instance> instance(const Call& call);
  void claim(const std::string& bid, const Call& call);

  std::string path_;  // as given
  disk::Folder root_;
  FolderBundlesOptions options_;
  std::shared_ptr<const Services> services_;
  OpenBundles open_;
  base::Turns turns_;  // for what follows
  std::shared_ptr<Instance> instance_;
  bool swept_ = false;
};

}  // namespace penstock::bundles
