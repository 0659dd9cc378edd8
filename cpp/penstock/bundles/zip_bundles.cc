#include "penstock/bundles/zip_bundles.h"

#include <condition_variable>
#include <exception>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "penstock/base/linked_stop.h"
#include "penstock/base/wait.h"
#include "penstock/bundles/bundle_zip.h"
#include "penstock/bundles/decorated_bundle.h"
#include "penstock/bundles/names.h"

namespace penstock::bundles {

std::string bundle_zip_url(std::string_view bid) {
  return fmt::format("bundle://{}/{}", safe_part(bid), kBundleZip);
}

// The zip on its way into the bundle underneath. A forked child leaves it alone: its thread is not there,
// and its locks may be held by threads that are not.
class ZipBundles::Zipped {
 public:
  static std::shared_ptr<Zipped> make(const std::shared_ptr<Bundle>& to, const std::string& bid,
                                      const Options& options) {
    const auto leave_to_parent = [](Zipped* zipped) {
      if (zipped->is_of_this_process()) delete zipped;
    };
    return {new Zipped(to, bid, options), leave_to_parent};
  }
  Zipped(std::shared_ptr<Bundle> to, std::string bid, const Options& options)
      : to_(std::move(to)),
        bid_(std::move(bid)),
        zip_({.name = std::string{kBundleZip},
              .spool_folder = options.spool_dir,
              .spool_bytes = options.spool_bytes}) {}
  Zipped(const Zipped&) = delete;
  Zipped& operator=(const Zipped&) = delete;
  ~Zipped() {
    zip_.abort("the bundle was dropped unfinished");
    if (thread_.joinable()) thread_.join();
  }

  BundleZip& begin() {
    std::call_once(begun_, [this] { thread_ = std::thread{[this] { carry(); }}; });
    return zip_;
  }
  // Returns once all of it is stored.
  void end(const Call& call) {
    begin().finish();
    std::unique_lock lock{mutex_};
    base::wait(changed_, lock, call, "store a bundle's zip", [this] { return ended_; });
    if (failure_) std::rethrow_exception(failure_);
  }
  void abort(std::string_view why) noexcept {
    if (is_of_this_process()) zip_.abort(why);
  }

  // Of a storage that gives the BID away: an idle bundle is abandoned, as it would be if its zip were not
  // under way all the time.
  void make_way() noexcept {
    const auto bundle = lifecycle_.lock();
    if (bundle && bundle->state() == State::open)
      bundle->abandon("another bundle of the same BID was started");
  }
  void belongs_to(const std::shared_ptr<Lifecycle>& lifecycle) { lifecycle_ = lifecycle; }

 private:
  bool is_of_this_process() const { return pid_ == ::getpid(); }
  void carry() noexcept {
    std::exception_ptr failure;
    try {
      to_->add_container({.url = bundle_zip_url(bid_), .content_type = "application/zip"}, zip_.source(),
                         zip_.members());
    } catch (...) {
      failure = std::current_exception();
      zip_.reader_failed(failure);
    }
    const std::lock_guard lock{mutex_};
    ended_ = true;
    failure_ = std::move(failure);
    changed_.notify_all();
  }

  std::shared_ptr<Bundle> to_;
  std::string bid_;
  BundleZip zip_;
  int pid_ = ::getpid();
  std::weak_ptr<Lifecycle> lifecycle_;
  std::once_flag begun_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool ended_ = false;
  std::exception_ptr failure_;
};

class ZipBundles::ZipBundle : public DecoratedBundle {
 public:
  ZipBundle(std::shared_ptr<Bundle> to, std::shared_ptr<Zipped> zipped)
      : DecoratedBundle(std::move(to), [zipped](std::string_view why) { zipped->abort(why); }),
        zipped_(std::move(zipped)) {
    zipped_->belongs_to(lifecycle());
  }

  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    const Lifecycle::Add under_way = begin_add();
    const base::LinkedStop stop{call.stop, under_way.stop()};
    return zipped_->begin().add(resource, body, {stop.token(), call.deadline, call.progress});
  }
  std::unique_ptr<Group> open_group() override;

 private:
  void close(const Call& call) override { zipped_->end(call); }

  std::shared_ptr<Zipped> zipped_;
};

namespace {

// A group of the zip, and an add of the bundle as long as it lives.
class ZipGroup : public Group {
 public:
  ZipGroup(Lifecycle::Add under_way, std::unique_ptr<Group> to)
      : under_way_(std::move(under_way)), to_(std::move(to)) {}
  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    const base::LinkedStop stop{call.stop, under_way_.stop()};
    return to_->add(resource, body, {stop.token(), call.deadline, call.progress});
  }
  void withdraw(std::uint64_t number, std::string_view why) override { to_->withdraw(number, why); }
  void skip(const Resource& resource, std::string_view why) override { to_->skip(resource, why); }
  void fail(const Resource& resource, std::string_view kind) override { to_->fail(resource, kind); }
  void keep() override { to_->keep(); }

 private:
  Lifecycle::Add under_way_;
  std::unique_ptr<Group> to_;
};

}  // namespace

std::unique_ptr<Group> ZipBundles::ZipBundle::open_group() {
  Lifecycle::Add under_way = begin_add();
  return std::make_unique<ZipGroup>(std::move(under_way), zipped_->begin().open_group());
}

void ZipBundles::make_way(const std::string& bid) {
  std::shared_ptr<Zipped> there;
  {
    const std::lock_guard lock{mutex_};
    std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
    if (const auto found = open_.find(bid); found != open_.end()) there = found->second.lock();
  }
  if (there) there->make_way();
}

std::unique_ptr<Bundle> ZipBundles::start(BundleRef& ref, const Recipe& recipe, const Call& call) {
  make_way(ref.bid);
  std::shared_ptr<Bundle> to = to_.start(ref, recipe, call);
  auto zipped = Zipped::make(to, ref.bid, options_);
  {
    const std::lock_guard lock{mutex_};
    open_[ref.bid] = zipped;
  }
  return std::make_unique<ZipBundle>(std::move(to), std::move(zipped));
}

}  // namespace penstock::bundles
