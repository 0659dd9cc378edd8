#include "penstock/bundles/folder_bundles.h"

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "penstock/base/wait.h"
#include "penstock/bundles/conflict.h"
#include "penstock/bundles/folder_staging.h"
#include "penstock/bundles/names.h"
#include "penstock/bundles/recovery.h"
#include "penstock/disk/system_error.h"
#include "penstock/store/folder_store.h"

namespace penstock::bundles {
namespace {

std::shared_ptr<const Services> services_of(FolderBundlesOptions& options, const std::string& path) {
  Services services = std::move(options.services);
  if (!services.pending && services.pending_policy != Pending::off) {
    services.pending = std::make_shared<StorePendingLog>(std::make_shared<store::FolderStore>(path),
                                                         std::string{kOwnFolder} + "/pending/");
    if (!services.pending_without_callbacks)
      services.pending_without_callbacks = services.notifier != nullptr;
  }
  return std::make_shared<const Services>(std::move(services));
}

bool is_empty(const disk::Folder& folder) {
  bool empty = true;
  disk::each_entry(folder, [&](const disk::Entry&) { empty = false; });
  return empty;
}

void remove_folder(const disk::Folder& from, const std::string& name) noexcept {
  ::unlinkat(from.fd(), name.c_str(), AT_REMOVEDIR);
}

// mkdir decides between all who want a name: false if another has it.
bool make_new_folder(const disk::Folder& in, const std::string& name) {
  if (::mkdirat(in.fd(), name.c_str(), 0777) != 0) {
    if (errno == EEXIST) return false;
    disk::throw_errno("make folder", in.path_of(name), Side::sink);
  }
  try {
    in.sync();
  } catch (...) {
    remove_folder(in, name);
    throw;
  }
  return true;
}

}  // namespace

FolderBundles::FolderBundles(const std::string& path, FolderBundlesOptions options)
    : path_(path),
      root_(options.create ? disk::Folder::make(path) : disk::Folder::open(path)),
      options_(std::move(options)),
      services_(services_of(options_, path)) {}

std::string FolderBundles::path_of(const std::string& bid) const {
  return (path_.ends_with('/') ? path_ : path_ + "/") + bundle_folder(bid);
}

// Made, and dead ones' swept, by the first who starts a bundle in this process.
std::shared_ptr<Instance> FolderBundles::instance(const Call& call) {
  const base::Turn turn{turns_, call, "start a bundle"};
  if (!instance_ || !instance_->is_of_this_process()) {
    instance_ = std::make_shared<Instance>(root_, call);
    swept_ = false;
  }
  if (!swept_) sweep({}, call);
  swept_ = true;
  return instance_;
}

std::unique_ptr<Bundle> FolderBundles::start(BundleRef& ref, const Recipe& recipe, const Call& call) {
  return start_staged(ref, recipe, call);
}

std::unique_ptr<StagedBundle> FolderBundles::start_staged(BundleRef& ref, const Recipe& recipe,
                                                          const Call& call) {
  const auto own = instance(call);
  open_.make_way(ref.bid);
  const std::string staged = safe_part(ref.bid);
  if (!make_new_folder(own->folder(), staged)) throw already_open(ref.bid);  // another thread's
  try {
    claim(ref.bid, call);
  } catch (...) {
    remove_folder(own->folder(), staged);
    throw;
  }
  try {
    auto staging = std::make_shared<FolderStaging>(root_, own, ref.bid, path_of(ref.bid), options_.abandoned,
                                                   options_.legacy_repr);
    if (!ref.storage_key) ref.storage_key = staging->storage_key();
    auto bundle = std::make_unique<StagedBundle>(ref, recipe, std::move(staging), services_);
    open_.enter(ref.bid, bundle->lifecycle());
    return bundle;
  } catch (...) {
    remove_folder(root_, bundle_folder(ref.bid));
    remove_folder(own->folder(), staged);
    throw;
  }
}

// An empty folder under the bundle's name.
void FolderBundles::claim(const std::string& bid, const Call& call) {
  const std::string name = bundle_folder(bid);
  for (bool again : {true, false}) {
    if (make_new_folder(root_, name)) return;
    const auto there = root_.find_folder(name);
    if (there && !is_empty(*there)) throw already_completed(bid);
    if (again) sweep({}, call);  // a dead process's claim goes
  }
  throw already_open(bid);
}

std::uint64_t FolderBundles::sweep(const SweepOptions&, const Call& call) {
  std::uint64_t swept = 0;
  each_leftover(
      root_,
      [&](const disk::Folder& dead, const std::string& staged) {
        put_away(root_, dead, staged, options_.abandoned);
        ++swept;
      },
      call);
  remove_expired(root_, services_->clock->wall() - options_.keep_incomplete);
  return swept;
}

RecoveryReport FolderBundles::recover(const Recipe& recipe, const Call& call) {
  RecoveryReport report;
  sweep_in_time(report, call, [&] { return sweep({}, call); });
  recover_pending(
      *services_, recipe, [&](std::span<const std::string> records) { return judge(records, call); }, report,
      call);
  return report;
}

std::vector<Judged> FolderBundles::judge(std::span<const std::string> records, const Call& call) {
  const auto look_at = [this](const Marker& marker) { return look(root_, marker); };
  return judge_all(records, look_at, services_->clock->wall(), call);
}

std::vector<std::string> FolderBundles::pending(const std::string& recipe_id, const Call& call) {
  return pending_records(*services_, recipe_id, call);
}

std::map<std::string, Error> FolderBundles::remove_pending(const std::string& recipe_id,
                                                           std::span<const std::string> bids,
                                                           const Call& call) {
  if (!services_->pending) return {};
  return services_->pending->remove_many(recipe_id, bids, call);
}

std::uint64_t FolderBundles::sweep_recipe(const Recipe&, const Call& call) {
  return sweep({}, call);
}

}  // namespace penstock::bundles
