// Bundles that are one object: all resources become members of one zip, `bundle.zip`, streamed while they
// come.
//
// Life:    borrows the storage underneath, which must outlive it and its bundles. A thread for each bundle
//          from its first add on.
// Threads: as the storage underneath.
// Memory:  that of a BundleZip and of one add underneath, however many members there are. The zip's
//          directory, and the members of archives until all are there, are on disk.
// Failure: a member that fails is left out. One of more than 8 MiB packed that was being written when it
//          failed takes the zip with it: finish() is refused (code bundle_incomplete).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "penstock/base/units.h"
#include "penstock/bundles/bundle.h"

namespace penstock::bundles {

inline constexpr std::string_view kBundleZip = "bundle.zip";

// `bundle://{bid}/bundle.zip`: whoever names resources by their path calls it bundle.zip.
std::string bundle_zip_url(std::string_view bid);

class ZipBundles : public BundleStorage {
 public:
  struct Options {
    std::string spool_dir{};            // "": $TMPDIR, else /tmp
    std::uint64_t spool_bytes = 4_GiB;  // of members that wait there to be written, a bundle
  };
  explicit ZipBundles(BundleStorage& to) : ZipBundles(to, Options{}) {}
  ZipBundles(BundleStorage& to, Options options) : to_(to), options_(std::move(options)) {}

  // The receipt counts the members, and so does Options::strict of the storage underneath.
  std::unique_ptr<Bundle> start(BundleRef& ref, const Recipe& recipe, const Call& call = {}) override;
  RecoveryReport recover(const Recipe& recipe, const Call& call = {}) override {
    return to_.recover(recipe, call);
  }
  std::uint64_t sweep(const SweepOptions& options = {}, const Call& call = {}) override {
    return to_.sweep(options, call);
  }

 private:
  class Zipped;
  class ZipBundle;
  void make_way(const std::string& bid);

  BundleStorage& to_;
  Options options_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Zipped>> open_;
};

}  // namespace penstock::bundles
