// The two storages behind one face, so that what both promise is claimed once.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/folder_staging.h"
#include "penstock/bundles/object_bundles.h"
#include "penstock/bundles/owner.h"
#include "penstock/store/memory_store.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/pipe.h"

#include "support/temporary_folder.h"

namespace penstock::bundles::test {

namespace fs = std::filesystem;
using penstock::test::TemporaryFolder;

inline const std::string kBid = "custom-one";

// Of a process that is no more: its pid was given again.
inline std::string dead_owner() {
  const std::string mine = this_owner();
  return mine.substr(0, mine.rfind('/')) + "/1";  // another start time
}

inline BundleRef reference(const std::string& bid = kBid) {
  return {.primary_url = "https://h/", .resources_count = 2, .bid = bid};
}

inline std::string slurp(store::ObjectStore& store, const std::string& key) {
  const auto object = store.get(key);
  std::string text(object->meta().bytes, '\0');
  read_full(*object, std::as_writable_bytes(std::span{text}));
  return text;
}

// Who is told, and fails as often as it is asked to.
class Told : public Notifier {
 public:
  void publish(const Sealed& sealed, std::string_view recipe_id, const Call&) override {
    const std::lock_guard lock{mutex_};
    ++tries;
    if (failures > 0) {
      --failures;
      throw Error{kind, "the queue is down"};
    }
    ids.push_back(sealed.ref.bid);
    last = message_body(sealed, recipe_id);
  }
  void check(const Sealed& sealed, std::string_view) const override {
    if (sealed.metadata.contains("too_much")) throw Error{Kind::refused, "too much for a message"};
  }
  int failures = 0, tries = 0;
  Kind kind = Kind::denied;
  std::vector<std::string> ids{};  // recovery tells of several at once, in any order
  std::string last{};

 private:
  std::mutex mutex_;
};

class World {
 public:
  virtual ~World() = default;
  virtual std::unique_ptr<BundleStorage> storage() = 0;  // another process's, as it were
  // What readers see of a bundle: names and bytes of its resources; nullopt: nothing at all.
  virtual std::optional<std::map<std::string, std::string>> visible(const std::string& bid) = 0;
  // Every file or object there is, whoever may see it.
  virtual std::vector<std::string> everything() = 0;
  virtual std::vector<std::string> pending() = 0;
  virtual std::vector<std::string> leftovers() = 0;  // nothing of a bundle that is over may be among them

  std::shared_ptr<Told> told = std::make_shared<Told>();
  Services services{};
  Recipe recipe{};
  std::shared_ptr<ManualClock> clock =
      std::make_shared<ManualClock>(WallTime{std::chrono::hours{24 * 20'000}});

 protected:
  Services with_told() {
    Services own = services;
    own.notifier = told;
    own.clock = clock;
    return own;
  }
};

class FolderWorld : public World {
 public:
  std::unique_ptr<BundleStorage> storage() override {
    FolderBundlesOptions options;
    options.services = with_told();
    return std::make_unique<FolderBundles>(folder.path(), std::move(options));
  }
  std::optional<std::map<std::string, std::string>> visible(const std::string& bid) override {
    const fs::path path = folder / ("bundle_" + safe_part(bid));
    if (!fs::exists(path / "bundle.meta")) return std::nullopt;
    std::map<std::string, std::string> found;
    std::vector<std::string> described, names;
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename();
      if (!name.ends_with(".meta")) {
        found[name] = penstock::test::read_file(entry.path());
        names.push_back(name);
      } else if (name != kBundleMeta && name != kManifestFile) {
        described.push_back(name.substr(0, name.size() - std::string_view{".meta"}.size()));
      }
    }
    std::sort(described.begin(), described.end());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(described, names) << "each has its sidecar, and there is no other";
    return found;
  }
  std::vector<std::string> everything() override { return folder.names(); }
  std::vector<std::string> pending() override {
    return filtered([](const std::string& name) {
      return name.starts_with(".penstock/pending/") && name.ends_with(".json");
    });
  }
  std::vector<std::string> leftovers() override {
    auto left = filtered([](const std::string& name) {
      return name.starts_with(".penstock/") && name.size() > 27 && !name.ends_with("/lock") &&
             !name.starts_with(".penstock/pending");
    });
    for (const auto& entry : fs::directory_iterator(folder.path()))
      if (entry.is_directory() && fs::is_empty(entry)) left.push_back(entry.path().filename());
    return left;
  }

  TemporaryFolder folder;

 private:
  template <class Wanted>
  std::vector<std::string> filtered(Wanted wanted) {
    auto names = folder.names();
    std::erase_if(names, [&](const std::string& name) { return !wanted(name); });
    return names;
  }
};

class ObjectWorld : public World {
 public:
  std::unique_ptr<BundleStorage> storage() override {
    ObjectBundlesOptions options;
    options.prefix = "out";
    options.layout = layout;
    options.services = with_told();
    return std::make_unique<ObjectBundles>(store, std::move(options));
  }
  std::optional<std::map<std::string, std::string>> visible(const std::string& bid) override {
    const BundleKeys keys = keys_of(layout, "out", bid, clock->wall());
    if (!store->exists(keys.marker)) return std::nullopt;
    std::map<std::string, std::string> found;
    for (const std::string& key : this->keys(keys.content + keys.separator))
      found[key.substr(keys.content.size() + 1)] = slurp(*store, key);
    const Json marker = Json::parse(slurp(*store, keys.marker));
    auto uploaded = marker["uploaded_keys"].get<std::vector<std::string>>();
    std::sort(uploaded.begin(), uploaded.end());
    EXPECT_EQ(uploaded, this->keys(keys.content + keys.separator)) << "no bytes but those the marker names";
    return found;
  }
  std::vector<std::string> everything() override { return keys(""); }
  std::vector<std::string> keys(std::string_view prefix) {
    std::vector<std::string> found;
    const auto listing = store->list(prefix);
    while (const auto object = listing->next()) found.push_back(object->key);
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<std::string> pending() override { return keys("out/_pending/"); }
  std::vector<std::string> leftovers() override {
    auto left = keys("out/");
    std::erase_if(
        left, [](const std::string& key) { return !key.ends_with("_claim") && !key.starts_with("out/_up"); });
    return left;
  }

  std::shared_ptr<store::ObjectStore> store = std::make_shared<store::MemoryStore>();
  KeyLayout layout = KeyLayout::doc;
};

inline StoredResource add(Bundle& bundle, const std::string& url, const std::string& text) {
  MemorySource body{as_bytes(text)};
  return bundle.add({.url = url, .content_type = "text/plain"}, body);
}

}  // namespace penstock::bundles::test
