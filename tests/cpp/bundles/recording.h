// A storage that keeps in memory what it is given, and a failing one on demand.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/bundles/bundle.h"
#include "penstock/bundles/manifest.h"

#include "support/read_all.h"

namespace penstock::bundles {

struct Recorded {
  struct One {
    Resource resource;
    std::string body;
  };
  std::vector<One> stored;
  std::vector<std::pair<std::string, std::string>> skipped, failed;  // URL, and why
  std::optional<Json> finished;
  std::string aborted;

  std::map<std::string, std::string> by_url() const {
    std::map<std::string, std::string> all;
    for (const One& one : stored) all[one.resource.url] = one.body;
    return all;
  }
};

class RecordingBundle : public Bundle {
 public:
  explicit RecordingBundle(Recorded& to) : to_(to) {}

  StoredResource add(const Resource& resource, Source& body, const Call&) override {
    return record(to_.stored, resource, body);
  }
  StoredResource add_container(const Resource& resource, Source& body, const Manifest&,
                               const Call& call) override {
    return add(resource, body, call);
  }
  std::unique_ptr<Group> open_group() override { return std::make_unique<Members>(to_); }
  BundleReceipt finish(const Json& metadata, const Call&) override {
    to_.finished = metadata;
    state_ = State::completed;
    return {.resources_stored = to_.stored.size()};
  }
  void abort(std::string_view why) noexcept override {
    to_.aborted = why;
    state_ = State::abandoned;
  }
  State state() const override { return state_; }

 private:
  static StoredResource record(std::vector<Recorded::One>& to, const Resource& resource, Source& body) {
    to.push_back({resource, test::read_all(body)});
    return {.name = resource.url, .bytes = to.back().body.size()};
  }

  class Members : public Group {
   public:
    explicit Members(Recorded& to) : to_(to) {}
    ~Members() override {
      if (!kept_ && !own_.failed.empty()) to_.failed.push_back(own_.failed.back());
    }
    StoredResource add(const Resource& resource, Source& body, const Call&) override {
      try {
        return record(own_.stored, resource, body);
      } catch (...) {
        fail(resource, kind_of(std::current_exception()));
        throw;
      }
    }
    void withdraw(std::uint64_t number, std::string_view why) override { withdrawn_[number] = why; }
    void skip(const Resource& resource, std::string_view why) override {
      own_.skipped.emplace_back(resource.url, why);
    }
    void fail(const Resource& resource, std::string_view kind) override {
      own_.failed.emplace_back(resource.url, kind);
    }
    void keep() override {
      kept_ = true;
      for (std::size_t i = 0; i < own_.stored.size(); ++i) {
        if (const auto found = withdrawn_.find(i); found != withdrawn_.end()) {
          own_.skipped.emplace_back(own_.stored[i].resource.url, found->second);
        } else {
          to_.stored.push_back(own_.stored[i]);
        }
      }
      to_.skipped.insert(to_.skipped.end(), own_.skipped.begin(), own_.skipped.end());
      to_.failed.insert(to_.failed.end(), own_.failed.begin(), own_.failed.end());
    }

   private:
    Recorded& to_;
    Recorded own_;
    Withdrawn withdrawn_;
    bool kept_ = false;
  };

  Recorded& to_;
  State state_ = State::open;
};

class RecordingBundles : public BundleStorage {
 public:
  std::unique_ptr<Bundle> start(BundleRef& ref, const Recipe&, const Call&) override {
    if (!ref.storage_key) ref.storage_key = "recorded/" + ref.bid;
    return std::make_unique<RecordingBundle>(recorded);
  }
  RecoveryReport recover(const Recipe& recipe, const Call&) override {
    asked += "recover " + recipe.id + ";";
    return {.recovered = 7};
  }
  std::uint64_t sweep(const SweepOptions& options, const Call&) override {
    asked += options.remove ? "sweep and remove;" : "sweep;";
    return 3;
  }

  Recorded recorded;
  std::string asked;
};

}  // namespace penstock::bundles
