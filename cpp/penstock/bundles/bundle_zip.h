// One zip of many resources, added from any threads and read while they come.
//
// Life:     one thread reads source() to its end; others add, in any number; then finish() or abort(). Dying
//           unfinished aborts: the reader gets an Error.
// Threads:  shared freely. Adds pack side by side; one at a time writes.
// Memory:   for each add under way a packer of 640 KiB, and up to 8 MiB of what it packed, in pages that the
//           Budget can spare; what finds none is on disk, as the members of groups are, within spool_bytes.
// Failure:  a member that fails is left out; one of more than 8 MiB that was being written takes the zip with
//           it: that is known to the reader, to every later add, and to finish().
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "penstock/base/budget.h"
#include "penstock/base/units.h"
#include "penstock/bundles/bundle.h"
#include "penstock/bundles/manifest.h"
#include "penstock/bundles/names.h"
#include "penstock/bundles/packed_bytes.h"
#include "penstock/codecs/zip_writer.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/pipe.h"

namespace penstock::bundles {

class BundleZip {
 public:
  struct Options {
    std::string name = "bundle.zip";    // what the members' lines say they are in
    std::string spool_folder{};         // "": $TMPDIR, else /tmp
    std::uint64_t spool_bytes = 4_GiB;  // on disk at once, but for the zip's directory
    std::stop_token stop{};             // ends it as abort() does
    std::shared_ptr<Budget> budget{};   // null: the process's
  };
  BundleZip() : BundleZip(Options{}) {}
  explicit BundleZip(Options options);
  ~BundleZip();
  BundleZip(const BundleZip&) = delete;
  BundleZip& operator=(const BundleZip&) = delete;

  // Under a name as in a folder. Throws what the body throws; Error(refused, too_large) beyond spool_bytes.
  StoredResource add(const Resource& resource, Source& body, const Call& call = {});
  // Its members are on disk until they are kept; it must not outlive the zip.
  std::unique_ptr<Group> open_group();

  // Once all adds have ended. Throws Error(refused, bundle_incomplete) if a member took the zip with it, and
  // what the reader failed with. May be repeated.
  void finish();
  // Stops the adds under way.
  void abort(std::string_view why) noexcept;

  Source& source() { return pipe_.reader; }
  const Manifest& members() const { return members_; }  // complete once the source has ended
  // Who reads gave up: adds and finish() throw this.
  void reader_failed(std::exception_ptr why) noexcept;

 private:
  class Members;
  // Where the zip's bytes go, and whether it was there that writing failed.
  class Out : public Sink {
   public:
    explicit Out(PipeWriter& to) : to_(to) {}
    void write(Bytes bytes) override;
    Receipt finish() override;
    void abort(std::string_view why) noexcept override { to_.abort(why); }
    bool failed() const { return failed_; }

   private:
    PipeWriter& to_;
    bool failed_ = false;
  };
  using Step = std::function<void()>;
  void write(const Call& call, const Step& step);
  bool try_write(const Step& step);
  void run(const Step& step);
  void require_whole() const;
  StoredResource store(const std::string& name, const Resource& resource, Source& body, const Call& call);
  StoredResource list(const std::string& name, const Resource& resource, const codecs::ZipFacts& facts,
                      const Hash& hashed, Manifest& lines) const;

  Options options_;
  SpoolRoom room_;
  struct Forward {
    std::stop_source& to;
    void operator()() const { to.request_stop(); }
  };
  std::stop_source stop_;
  std::stop_callback<Forward> on_stop_;
  Pipe pipe_;
  Out out_{pipe_.writer};
  codecs::ZipWriter writer_;
  NameBook names_;
  Manifest members_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool writing_ = false;
  std::atomic<bool> finished_{false};
  std::exception_ptr broken_, reader_failure_;
};

}  // namespace penstock::bundles
