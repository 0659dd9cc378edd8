#include "penstock/bundles/unzip_bundles.h"

#include <utility>
#include <vector>

#include "penstock/base/linked_stop.h"
#include "penstock/bundles/decorated_bundle.h"
#include "penstock/bundles/manifest.h"

namespace penstock::bundles {
namespace {

// Puts what an unpacker gives into a group.
class Filling {
 public:
  explicit Filling(Group& to) : to_(to) {}

  // Of several the bytes of all, and no name.
  StoredResource fill(Unpacker& from, const Call& call) {
    adding_ = false;
    return from.is_archive() ? add_members(from, call) : add(*from.next(), from, call);
  }
  std::uint64_t stored() const { return stored_; }
  // Whether the group itself has a line of what failed.
  bool failed_in_add() const { return adding_; }

 private:
  StoredResource add_members(Unpacker& from, const Call& call) {
    const std::uint64_t first = stored_;
    StoredResource sum;
    while (const Unpacked* found = from.next()) {
      if (found->skipped.empty()) {
        sum.bytes += add(*found, from, call).bytes;
      } else {
        to_.skip(found->resource, found->skipped);
      }
    }
    for (const std::uint64_t number : from.withdrawn()) to_.withdraw(first + number, "link or device");
    return sum;
  }
  StoredResource add(const Unpacked& found, Unpacker& from, const Call& call) {
    adding_ = true;
    StoredResource stored = to_.add(found.resource, from.content(), call);
    adding_ = false;
    ++stored_;
    return stored;
  }

  Group& to_;
  std::uint64_t stored_ = 0;
  bool adding_ = false;
};

// A group of a bundle that unpacks. What one add stores there may be many: they are counted as one here.
class UnzipGroup : public Group {
 public:
  UnzipGroup(Lifecycle::Add under_way, std::unique_ptr<Group> to, const UnpackOptions& options)
      : under_way_(std::move(under_way)), to_(std::move(to)), options_(options), filling_(*to_) {}

  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    Unpacker unpacker{body, resource, options_};
    const std::uint64_t first = filling_.stored();
    try {
      StoredResource stored = filling_.fill(unpacker, call);
      first_.push_back(first);
      return stored;
    } catch (...) {
      broken_ |= filling_.stored() != first;
      if (!filling_.failed_in_add()) to_->fail(resource, kind_of(std::current_exception()));
      throw;
    }
  }
  void withdraw(std::uint64_t number, std::string_view why) override {
    const std::uint64_t end = number + 1 < first_.size() ? first_[number + 1] : filling_.stored();
    for (std::uint64_t at = first_.at(number); at < end; ++at) to_->withdraw(at, why);
  }
  void skip(const Resource& resource, std::string_view why) override { to_->skip(resource, why); }
  void fail(const Resource& resource, std::string_view kind) override { to_->fail(resource, kind); }
  void keep() override {
    if (broken_)
      throw Error{Kind::refused,
                  "an archive of this group failed after some of its members were stored: it cannot be kept",
                  {.side = Side::sink, .doing = "keep a group"}};
    to_->keep();
  }

 private:
  Lifecycle::Add under_way_;
  std::unique_ptr<Group> to_;
  UnpackOptions options_;
  Filling filling_;
  std::vector<std::uint64_t> first_;  // of what each add stored
  bool broken_ = false;
};

class UnzipBundle : public DecoratedBundle {
 public:
  UnzipBundle(std::shared_ptr<Bundle> to, UnpackOptions options)
      : DecoratedBundle(std::move(to)), options_(options) {}

  StoredResource add(const Resource& resource, Source& body, const Call& call) override {
    const Lifecycle::Add under_way = begin_add();
    const base::LinkedStop stop{call.stop, under_way.stop()};
    const Call own{stop.token(), call.deadline, call.progress};
    Unpacker unpacker{body, resource, options_};
    if (is_archive(unpacker, resource)) return add_archive(unpacker, resource, own);
    const Unpacked* only = unpacker.next();
    return to().add(only->resource, unpacker.content(), own);
  }
  std::unique_ptr<Group> open_group() override {
    Lifecycle::Add under_way = begin_add();
    return std::make_unique<UnzipGroup>(std::move(under_way), to().open_group(), options_);
  }

 private:
  bool is_archive(Unpacker& unpacker, const Resource& resource) const {
    try {
      return unpacker.is_archive();
    } catch (...) {
      const auto none = to().open_group();
      none->fail(resource, kind_of(std::current_exception()));
      throw;
    }
  }
  StoredResource add_archive(Unpacker& unpacker, const Resource& resource, const Call& call) const {
    const auto group = to().open_group();
    try {
      StoredResource all = Filling{*group}.fill(unpacker, call);
      group->keep();
      return all;
    } catch (...) {
      group->fail(resource, kind_of(std::current_exception()));
      throw;
    }
  }

  UnpackOptions options_;
};

}  // namespace

std::unique_ptr<Bundle> UnzipBundles::start(BundleRef& ref, const Recipe& recipe, const Call& call) {
  return std::make_unique<UnzipBundle>(to_.start(ref, recipe, call), options_);
}

}  // namespace penstock::bundles
