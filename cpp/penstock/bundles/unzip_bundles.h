// Bundles whose resources are unpacked on the way: what is compressed is stored as what it was, an archive as
// its members, all of them or none.
//
// Life:    borrows the storage underneath, which must outlive it and its bundles.
// Threads: as the storage underneath.
// Memory:  that of an Unpacker for each add under way.
// Failure: as Unpacker and the storage. Of a damaged archive nothing stays but a line in the manifest.
#pragma once

#include <memory>

#include "penstock/bundles/bundle.h"
#include "penstock/bundles/unpacker.h"

namespace penstock::bundles {

class UnzipBundles : public BundleStorage {
 public:
  explicit UnzipBundles(BundleStorage& to, UnpackOptions options = {}) : to_(to), options_(options) {}

  // Of an archive its add() returns no name and no digest, and the bytes of all members. In a group of such a
  // bundle an archive that fails after its first member takes the whole group with it: keep() is refused.
  std::unique_ptr<Bundle> start(BundleRef& ref, const Recipe& recipe, const Call& call = {}) override;
  RecoveryReport recover(const Recipe& recipe, const Call& call = {}) override {
    return to_.recover(recipe, call);
  }
  std::uint64_t sweep(const SweepOptions& options = {}, const Call& call = {}) override {
    return to_.sweep(options, call);
  }

 private:
  BundleStorage& to_;
  UnpackOptions options_;
};

}  // namespace penstock::bundles
