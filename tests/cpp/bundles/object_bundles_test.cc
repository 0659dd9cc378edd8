#include "penstock/bundles/object_bundles.h"

#include <gtest/gtest.h>

#include "penstock/bundles/owner.h"
#include "penstock/kv/memory_key_value.h"

#include "bundles/storages.h"
#include "support/errors.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_of;
using Names = std::vector<std::string>;

const std::string kMade = "17571960-2065-e0cd-cf71-8196d8577b7e";  // 2025-09-06T22:00:20.650Z

// A store whose puts of markers go wrong as often as asked: done or not, the answer is lost.
class Doubtful : public store::MemoryStore {
 public:
  using MemoryStore::put;
  Receipt put(std::string_view key, Source& source, const store::WriteOptions& options,
              const Call& call) override {
    const bool doubt = key.ends_with("metadata.json") && doubts > 0;
    if (doubt) --doubts;
    if (doubt && !done) throw Error{Kind::in_doubt, "the answer was lost"};
    Receipt receipt = MemoryStore::put(key, source, options, call);
    if (doubt) throw Error{Kind::in_doubt, "the answer was lost"};
    return receipt;
  }
  std::uint64_t abort_uploads(std::string_view prefix, const Call&) override {
    aborted.emplace_back(prefix);
    return 1;
  }
  int doubts = 0;
  bool done = false;
  Names aborted;
};

// A store whose puts of one key are broken off, and carried out after the removal that follows.
class Late : public store::MemoryStore {
 public:
  using MemoryStore::put;
  Receipt put(std::string_view key, Source& source, const store::WriteOptions& options,
              const Call& call) override {
    if (!breaks || !key.ends_with("/a")) return MemoryStore::put(key, source, options, call);
    arrives = true;
    throw Error{Kind::cancelled, "the call was stopped"};
  }
  void remove(std::string_view key, const store::RemoveOptions& options, const Call& call) override {
    MemoryStore::remove(key, options, call);
    if (!std::exchange(arrives, false)) return;
    MemorySource late{as_bytes("late")};
    MemoryStore::put(key, late, {}, call);
  }
  bool breaks = true, arrives = false;
};

TEST(ObjectBundles, a_put_that_is_carried_out_after_its_removal_is_removed_before_the_manifest) {
  for (const bool again : {false, true}) {
    const auto store = std::make_shared<Late>();
    ObjectBundles storage{store};
    BundleRef ref = reference(kMade);
    const auto bundle = storage.start(ref, {});
    const std::string key = "bundles/" + kMade + "/resources/a";
    const auto add = [&] {
      MemorySource body{as_bytes("wanted")};
      bundle->add({.url = "https://h/a"}, body);
    };
    EXPECT_EQ(error_of(add).kind(), Kind::cancelled);
    EXPECT_TRUE(store->exists(key));
    store->breaks = false;
    if (again) add();
    bundle->finish(Json::object());
    EXPECT_EQ(store->exists(key), again);
  }
}

TEST(ObjectBundles, have_the_keys_of_the_layout) {
  const std::string d = "p/data/year=2025/month=09/day=06/22-00-20-d8577b7e/";
  struct Row {
    KeyLayout layout;
    Names resources;
    std::string marker;
  };
  const std::vector<Row> rows{
      {KeyLayout::doc,
       {"p/bundles/" + kMade + "/resources/a_b.csv", "p/bundles/" + kMade + "/resources/index.html"},
       "p/bundles/" + kMade + "/metadata.json"},
      {KeyLayout::fetcher, {"p/" + kMade + "/b.csv", "p/" + kMade}, "p/bundles/" + kMade + "/metadata.json"},
      {KeyLayout::fetcher_legacy,
       {"p/bundles/" + kMade + "/resources_b.csv", "p/bundles/" + kMade + "/resources"},
       "p/bundles/" + kMade + "/metadata.json"},
      {KeyLayout::manifest,
       {d + "content/a_b.csv", d + "content/index.html"},
       d + "metadata/_completed.json"}};
  for (const Row& row : rows) {
    const auto store = std::make_shared<store::MemoryStore>();
    ObjectBundles storage{store, {.prefix = "p", .layout = row.layout}};
    BundleRef ref = reference(kMade);
    const auto bundle = storage.start(ref, {});
    EXPECT_EQ(add(*bundle, "https://h/a/b.csv?x=1", "1").location, row.resources[0]);
    EXPECT_EQ(add(*bundle, "https://h", "2").location, row.resources[1]);
    EXPECT_EQ(bundle->finish(Json::object()).location, row.marker);
    const Json marker = Json::parse(slurp(*store, row.marker));
    EXPECT_EQ(marker["uploaded_keys"], Json(row.resources)) << to_string(row.layout);
    EXPECT_EQ(marker["storage_key"], row.marker);
    EXPECT_EQ(parse_layout(to_string(row.layout)), row.layout);
  }
  EXPECT_EQ(error_of([] { parse_layout("other"); }).kind(), Kind::refused);
}

TEST(ObjectBundles, a_long_basename_is_whole_in_the_layouts_that_have_basenames) {
  const std::string name = std::string(300, 'n') + ".csv";
  for (const KeyLayout layout :
       {KeyLayout::doc, KeyLayout::fetcher, KeyLayout::fetcher_legacy, KeyLayout::manifest}) {
    ObjectBundles storage{std::make_shared<store::MemoryStore>(), {.layout = layout}};
    BundleRef ref = reference(kMade);
    const auto bundle = storage.start(ref, {});
    const StoredResource stored = add(*bundle, "https://h/" + name, "x");
    EXPECT_EQ(stored.name == name, by_basename(layout)) << to_string(layout);
    EXPECT_EQ(stored.location.ends_with(name), by_basename(layout)) << to_string(layout);
    bundle->finish(Json::object());
  }
}

TEST(ObjectBundles, prefixes_are_tidied_or_kept_as_the_layout_has_it) {
  const WallTime now{};
  EXPECT_EQ(keys_of(KeyLayout::doc, "/a//b/", kMade, now).root, "a/b/bundles/" + kMade + "/");
  EXPECT_EQ(keys_of(KeyLayout::doc, "", kMade, now).root, "bundles/" + kMade + "/");
  EXPECT_EQ(keys_of(KeyLayout::fetcher, "p/", kMade, now).resource("x"), "p//" + kMade + "/x");
  EXPECT_EQ(keys_of(KeyLayout::fetcher, "", kMade, now).resource("x"), "/" + kMade + "/x");
  EXPECT_EQ(keys_of(KeyLayout::doc, "p", "test-../x", now).root, "p/bundles/test-..%2Fx/");
  const WallTime at{std::chrono::hours{24 * 365}};
  EXPECT_EQ(keys_of(KeyLayout::manifest, "", "custom-1", at).root,
            "data/year=1971/month=01/day=01/00-00-00-" + sha256_hex("custom-1", 8) + "/");
}

TEST(ObjectBundles, the_keys_of_a_bundle_are_found_again_from_any_of_them) {
  const WallTime now{};
  for (const KeyLayout layout :
       {KeyLayout::doc, KeyLayout::fetcher, KeyLayout::fetcher_legacy, KeyLayout::manifest}) {
    for (const char* prefix : {"", "p", "/a//b/"}) {
      const BundleKeys keys = keys_of(layout, prefix, "custom-../x", now);
      const auto found = bundle_of(layout, prefix, keys.manifest);
      ASSERT_TRUE(found) << to_string(layout) << prefix;
      EXPECT_EQ(found->root, keys.root);
      EXPECT_EQ(found->marker, keys.marker);
      const BundleKeys again = keys_under(layout, prefix, found->root);
      EXPECT_EQ(again.resource("x"), keys.resource("x")) << to_string(layout) << prefix;
      EXPECT_EQ(again.resource(""), keys.resource(""));
      EXPECT_EQ(again.manifest, keys.manifest);
      EXPECT_EQ(again.sidecars, keys.sidecars);
    }
  }
}

TEST(ObjectBundles, the_marker_is_what_the_format_says) {
  ObjectWorld world;
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto bundle = storage->start(ref, world.recipe);
  EXPECT_EQ(ref.storage_key, "out/bundles/custom-one/resources");
  add(*bundle, "https://h/a", "x");
  bundle->finish({{"k", Json::array({1, 2})}});
  const std::string text = slurp(*world.store, "out/bundles/custom-one/metadata.json");
  EXPECT_EQ(text, Json::parse(text).dump(2));
  Names order;
  const Json parsed = Json::parse(text);
  for (const auto& item : parsed.items()) order.push_back(item.key());
  EXPECT_EQ(order, (Names{"bid", "primary_url", "resources_count", "storage_key", "uploaded_keys", "meta",
                          "resources_stored", "resources_failed", "bytes", "manifest_sha256", "completed_at",
                          "completion_metadata"}));
  const std::string manifest = slurp(*world.store, "out/bundles/custom-one/manifest.jsonl");
  EXPECT_EQ(sha256_hex(manifest), parsed["manifest_sha256"]);
}

TEST(ObjectBundles, resources_carry_their_url_as_a_header_can) {
  ObjectWorld world;
  const auto storage = world.storage();
  BundleRef ref = reference();
  const auto bundle = storage->start(ref, world.recipe);
  add(*bundle, "https://h/\xc3\xa9 x", "1");
  const auto meta = world.store->head("out/bundles/custom-one/resources/\xc3\xa9_x").metadata;
  EXPECT_EQ(meta.at("url"), "https://h/%C3%A9%20x");
  EXPECT_EQ(meta.at("status_code"), "200");
  EXPECT_EQ(meta.at("content_type"), "text/plain");
  const StoredResource longest = add(*bundle, "https://h/" + std::string(2000, 'u'), "1");
  const auto cut = world.store->head(longest.location).metadata;
  EXPECT_EQ(cut.at("url").size(), 1024u);
  EXPECT_EQ(cut.at("url_truncated"), "1");
  EXPECT_EQ(error_of([&] { add(*bundle, "https://h/a\r\nx", "1"); }).kind(), Kind::refused);
}

TEST(ObjectBundles, a_lost_answer_to_the_marker_is_settled_by_the_next_try) {
  for (const bool done : {false, true}) {
    const auto store = std::make_shared<Doubtful>();
    store->doubts = 1;
    store->done = done;
    ObjectBundles storage{store};
    BundleRef ref = reference(kMade);
    const auto bundle = storage.start(ref, {});
    EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::in_doubt);
    bundle->abort("it may be published, so this has no effect");
    bundle->finish(Json::object());
    EXPECT_EQ(bundle->state(), State::completed);
  }
}

TEST(ObjectBundles, anothers_marker_is_a_conflict) {
  const auto store = std::make_shared<store::MemoryStore>();
  ObjectBundles storage{store};
  BundleRef ref = reference(kMade);
  const auto bundle = storage.start(ref, {});
  store->put("bundles/" + kMade + "/metadata.json", as_bytes("{}"));
  EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).facts().code, code::kAlreadyCompleted);
}

TEST(ObjectBundles, a_generated_id_is_looked_for_once_where_that_is_allowed) {
  class Watched : public store::MemoryStore {
   public:
    std::optional<store::ObjectMeta> find(std::string_view key, const Call& call) override {
      looks.emplace_back(key);
      if (denies) throw Error{Kind::denied, "the test says so"};
      return MemoryStore::find(key, call);
    }
    bool denies = false;
    Names looks;
  };
  for (const bool denies : {false, true}) {
    const auto store = std::make_shared<Watched>();
    store->denies = denies;
    ObjectBundles storage{store};
    BundleRef ref = reference(kMade);
    const auto bundle = storage.start(ref, {});
    EXPECT_EQ(store->looks, Names{"bundles/" + kMade + "/metadata.json"});
    bundle->finish(Json::object());
    EXPECT_EQ(bundle->state(), State::completed);
  }
}

TEST(ObjectBundles, a_claim_is_taken_over_from_the_dead_and_from_the_long_silent) {
  const auto claim_by = [](const std::string& owner, const std::string& at) {
    Json json;
    json["owner"] = owner;
    json["timestamp"] = at;
    return compact(json);
  };
  struct Row {
    std::string text;
    bool taken;
  };
  const std::string today = "2024-10-04T00:00:00.000000Z", before = "2024-10-02T23:00:00.000000Z";
  for (const Row& row :
       {Row{claim_by(dead_owner(), today), true}, Row{claim_by("another/machine/1/2", before), true},
        Row{claim_by(this_owner(), today), false}, Row{claim_by("another/machine/1/2", today), false},
        Row{"no json", false}}) {
    ObjectWorld world;  // its clock stands at 2024-10-04
    world.store->put("out/bundles/custom-one/_claim", as_bytes(row.text));
    const auto storage = world.storage();
    BundleRef ref = reference();
    const auto start = [&] { storage->start(ref, world.recipe)->finish(Json::object()); };
    if (row.taken) {
      start();
      EXPECT_TRUE(world.leftovers().empty());
    } else {
      EXPECT_EQ(error_of(start).facts().code, code::kAlreadyOpen) << row.text;
    }
  }
}

TEST(ObjectBundles, a_custom_id_that_was_tried_before_begins_with_nothing_of_that) {
  for (const KeyLayout layout : {KeyLayout::doc, KeyLayout::fetcher_legacy, KeyLayout::manifest}) {
    const auto store = std::make_shared<store::MemoryStore>();
    ObjectBundles bundles{store, {.layout = layout}};
    for (const char* name : {"first", "second"}) {
      BundleRef ref = reference(kBid);
      const auto bundle = bundles.start(ref, {});
      add(*bundle, std::string{"https://h/"} + name, "x");
      if (name == std::string{"second"})
        bundle->finish(Json::object());
      else
        bundle->abort("given up");
    }
    std::size_t of_first = 0, of_second = 0;
    const auto listing = store->list();
    while (const auto object = listing->next()) {
      of_first += object->key.find("first") != std::string::npos;
      of_second += object->key.find("second") != std::string::npos;
    }
    EXPECT_EQ(of_first, 0u) << to_string(layout);
    EXPECT_GE(of_second, 1u) << to_string(layout);
  }
}

TEST(ObjectBundles, uploads_of_the_dead_are_given_up) {
  const auto store = std::make_shared<Doubtful>();
  const auto note = [&](const std::string& recipe, const std::string& bid, const std::string& owner) {
    Json json;
    json["owner"] = owner;
    json["timestamp"] = timestamp(Clock::system()->wall());
    json["bid"] = bid;
    json["root"] = "bundles/" + bid + "/";
    json["content"] = "bundles/" + bid + "/resources";
    const std::string text = compact(json);
    store->put("_uploads/" + recipe + "/" + bid + ".json", as_bytes(text));
  };
  note("default", "dead", dead_owner());
  note("default", "alive", this_owner());
  note("other", "others", dead_owner());
  store->put("_uploads/default/broken.json", as_bytes("{"));
  ObjectBundles storage{store};
  EXPECT_EQ(storage.recover({}).swept, 1u);
  EXPECT_EQ(store->aborted, Names{"bundles/dead/"});
  EXPECT_FALSE(store->exists("_uploads/default/dead.json"));
  EXPECT_TRUE(store->exists("_uploads/default/alive.json"));
}

TEST(ObjectBundles, records_are_judged_by_their_marker_and_their_owner) {
  ObjectWorld world;
  const auto record = [&](const std::string& bid, const std::string& owner, const std::string& written,
                          std::optional<Marker> marker) {
    const std::string text =
        to_text({.ref = reference(bid), .written = written, .marker = std::move(marker), .owner = owner});
    world.store->put("out/_pending/default/" + bid + ".json", as_bytes(text));
  };
  const std::string now = "2024-10-04T00:00:00.000000Z", before = "2024-10-02T23:00:00.000000Z";
  world.store->put("marker", as_bytes("{}"), {.metadata = {{"penstock-bundle", "mine"}}});
  record("custom-committed", dead_owner(), now, Marker{"", "marker", "mine"});
  record("custom-foreign", this_owner(), now, Marker{"", "marker", "another"});
  record("custom-dead", dead_owner(), now, Marker{"", "none", "t"});
  record("custom-old", "another/machine/1/2", before, Marker{"", "none", "t"});
  record("custom-alive", "another/machine/1/2", now, Marker{"", "none", "t"});
  world.store->put(
      "out/_pending/default/older.json",
      as_bytes(R"({"bundle_ref":{"bid":"custom-older","primary_url":"u","resources_count":1}})"));
  world.store->put("out/_pending/default/zzz.json", as_bytes("{"));
  const RecoveryReport report = world.storage()->recover(world.recipe);
  EXPECT_EQ(report.recovered, 2u);
  EXPECT_EQ(report.discarded, 3u);
  EXPECT_EQ(report.left, 1u);
  EXPECT_EQ(report.malformed, 1u);
  std::sort(world.told->ids.begin(), world.told->ids.end());
  EXPECT_EQ(world.told->ids, (Names{"custom-committed", "custom-older"}));
  EXPECT_EQ(world.pending(), (Names{"out/_pending/default/custom-alive.json",
                                    "out/_pending/default/older.json", "out/_pending/default/zzz.json"}));
}

TEST(ObjectBundles, recovery_ends_at_its_deadline_and_keeps_the_rest) {
  ObjectWorld world;
  for (int i = 0; i < 3; ++i) {
    const std::string text = to_text({.ref = reference("custom-" + std::to_string(i)), .written = "x"});
    world.store->put("out/_pending/default/" + std::to_string(i) + ".json", as_bytes(text));
  }
  const RecoveryReport report = world.storage()->recover(world.recipe, {.deadline = Deadline{SteadyTime{}}});
  EXPECT_TRUE(report.out_of_time);
  EXPECT_EQ(world.pending().size(), 3u);
}

TEST(ObjectBundles, a_record_that_cannot_be_written_stops_the_commit) {
  class Full : public PendingLog {
   public:
    void put(std::string_view, std::string_view, const std::string&, const Call&) override {
      throw Error{Kind::denied, "no"};
    }
    std::map<std::string, Error> remove_many(std::string_view, std::span<const std::string>,
                                             const Call&) override {
      return {};
    }
    void each(std::string_view, const VisitRecord&, const Call&) override {}
  };
  for (const Pending policy : {Pending::required, Pending::best_effort}) {
    ObjectWorld world;
    world.services.pending = std::make_shared<Full>();
    world.services.pending_policy = policy;
    const auto storage = world.storage();
    BundleRef ref = reference();
    const auto bundle = storage->start(ref, world.recipe);
    if (policy == Pending::required) {
      EXPECT_EQ(error_of([&] { bundle->finish(Json::object()); }).kind(), Kind::lost);
    } else {
      bundle->finish(Json::object());
    }
    EXPECT_EQ(world.visible(kBid).has_value(), policy == Pending::best_effort);
  }
}

TEST(ObjectBundles, records_may_be_kept_in_a_key_value_store) {
  const auto values = std::make_shared<kv::MemoryKeyValue>();
  ObjectWorld world;
  world.services.pending = std::make_shared<KvPendingLog>(values);
  world.services.publish_errors = PublishErrors::defer;
  world.told->failures = 40;
  for (int i = 10; i < 50; ++i) {
    BundleRef ref = reference("custom-" + std::to_string(i));
    world.storage()->start(ref, {.id = i == 49 ? "other" : "fr"})->finish(Json::object());
  }
  EXPECT_EQ(values->count(), 40u);
  EXPECT_TRUE(values->exists("sqs_notifications:pending:fr:custom-10"));
  Names called;
  const Recipe recipe{.id = "fr", .on_complete = {[&](const BundleRef& ref) { called.push_back(ref.bid); }}};
  EXPECT_EQ(world.storage()->recover(recipe).recovered, 39u);
  EXPECT_TRUE(std::is_sorted(called.begin(), called.end()));
  EXPECT_EQ(world.told->ids.size(), 39u);
  EXPECT_EQ(values->count(), 1u);
}

TEST(ObjectBundles, sweeping_removes_old_unmarked_objects_only_when_told_to) {
  for (const KeyLayout layout : {KeyLayout::doc, KeyLayout::fetcher_legacy, KeyLayout::manifest}) {
    ObjectWorld world;
    world.layout = layout;
    world.clock->set_wall(Clock::system()->wall());  // the store's own
    const auto storage = world.storage();
    for (const char* bid : {"custom-dropped", "custom-kept"}) {
      BundleRef ref = reference(bid);
      const auto bundle = storage->start(ref, world.recipe);
      add(*bundle, "https://h/a", "x");
      if (std::string_view{bid} == "custom-kept") bundle->finish(Json::object());
    }
    EXPECT_EQ(storage->sweep(), 0u);
    EXPECT_EQ(storage->sweep({.remove = true}), 0u);  // too young
    const WallTime made = world.clock->wall();
    world.clock->set_wall(made + std::chrono::hours{25});
    EXPECT_EQ(storage->sweep({.remove = true}), 1u);
    EXPECT_TRUE(world.keys(keys_of(layout, "out", "custom-dropped", made).root).empty()) << to_string(layout);
    world.clock->set_wall(made);
    EXPECT_TRUE(world.visible("custom-kept")) << to_string(layout);
  }
  ObjectWorld world;
  world.layout = KeyLayout::fetcher;
  EXPECT_EQ(error_of([&] { world.storage()->sweep({.remove = true}); }).kind(), Kind::refused);
}

}  // namespace
}  // namespace penstock::bundles::test
