// A bundle's files below `.penstock/{instance}/{bid}/` until they are renamed. Internal to the room.
#pragma once

#include <memory>
#include <string>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/recovery.h"
#include "penstock/bundles/staging.h"

namespace penstock::bundles {

inline constexpr std::string_view kBundleMeta = "bundle.meta", kManifestFile = "bundle.manifest.meta";

std::string bundle_folder(const std::string& bid);  // "bundle_" and the safe BID

// A staged folder of a bundle that will never be completed: its claim goes first, then finished resources
// are moved to incomplete_{bid}/ or all is removed.
void put_away(const disk::Folder& root, const disk::Folder& instance, const std::string& staged,
              Abandoned how);

// Whether a folder of bundles has the one that a pending record tells of.
Found look(const disk::Folder& root, const Marker& marker);
// Removes the incomplete_{bid}/ that were put away before `before`.
void remove_expired(const disk::Folder& root, WallTime before);

class FolderStaging : public Staging {
 public:
  // The staged folder and the claim must be there.
  FolderStaging(disk::Folder root, std::shared_ptr<Instance> instance, std::string bid, std::string key,
                Abandoned abandoned, bool legacy_repr);

  void put(const std::string& name, const Resource& resource, Source& body, const Call& call) override;
  void describe(const Resource& resource, const StoredResource& stored, const Call& call) override;
  void withdraw(const std::string& name) noexcept override;
  std::string location(const std::string& name) const override { return key_ + "/" + name; }
  std::string storage_key() const override { return key_; }
  std::string marker_location() const override { return location(std::string{kBundleMeta}); }
  std::string spool_folder() const override { return folder_.path(); }
  void seal(const Sealed& sealed, const Manifest& manifest, const Call& call) override;
  Marker marker() const override;
  void commit(const Call& call) override;
  void clean_up(const Call&) noexcept override {}
  void discard(std::string_view why) noexcept override;

 private:
  disk::Folder root_;
  std::shared_ptr<Instance> instance_;
  std::string bid_, staged_;
  disk::Folder folder_;
  std::string key_;  // output_dir as given, and the bundle's folder
  Abandoned abandoned_;
  bool legacy_repr_;
  std::string token_;
  bool renamed_ = false;
};

}  // namespace penstock::bundles
