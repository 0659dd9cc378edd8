#include "penstock/bundles/zip_bundles.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "penstock/bundles/bundle_zip.h"
#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/object_bundles.h"
#include "penstock/bundles/unzip_bundles.h"
#include "penstock/codecs/zip_reader.h"
#include "penstock/store/memory_store.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/pipe.h"

#include "bundles/recording.h"
#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"
#include "support/zip.h"

namespace penstock::bundles {
namespace {

using test::error_of;
using test::random_bytes;
using test::TemporaryFolder;
using test::zip;

constexpr const char* kBid = "17571960-2065-e0cd-cf71-8196d8577b7e";

StoredResource add(Bundle& bundle, const Resource& resource, const std::string& body) {
  MemorySource source{as_bytes(body)};
  return bundle.add(resource, source);
}

// Names and contents, as ZipReader finds them.
std::map<std::string, std::string> members_of(const std::string& archive) {
  MemorySource source{as_bytes(archive)};
  codecs::ZipReader reader{source};
  std::map<std::string, std::string> all;
  while (const codecs::Entry* entry = reader.next()) {
    const std::string name = entry->name;
    all[name] = test::read_all(reader.content());
  }
  return all;
}

using Members = std::map<std::string, std::string>;

// A bundle that is one zip, in a folder.
struct InFolder {
  explicit InFolder(FolderBundlesOptions options = {}) : storage{folder.path(), std::move(options)} {}
  TemporaryFolder folder;
  FolderBundles storage;
  ZipBundles zipping{storage, {.spool_dir = folder.path()}};
  BundleRef ref{.resources_count = 2, .bid = kBid};
  std::unique_ptr<Bundle> bundle = zipping.start(ref, {});

  std::string file(const std::string& name) const { return test::read_file(*ref.storage_key + "/" + name); }
  std::vector<Json> manifest() const {
    std::vector<Json> lines;
    std::istringstream text{file("bundle.manifest.meta")};
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  Members members() const { return members_of(file("bundle.zip")); }
};

// A body that waits until it is let go, having given what it has so far.
class Held : public Source {
 public:
  explicit Held(std::string first, std::string then = {}, std::optional<Error> error = {})
      : first_(std::move(first)), then_(std::move(then)), error_(std::move(error)) {}
  std::size_t read(MutableBytes buffer) override {
    if (at_ < first_.size()) return give(first_, at_, buffer);
    std::unique_lock lock{mutex_};
    waits_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return free_; });
    if (error_) throw Error{*error_};
    return give(then_, then_at_, buffer);
  }
  void wait_until_it_waits() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return waits_; });
  }
  void let_go() {
    const std::lock_guard lock{mutex_};
    free_ = true;
    changed_.notify_all();
  }

 private:
  static std::size_t give(const std::string& from, std::size_t& at, MutableBytes buffer) {
    const std::size_t count = std::min(buffer.size(), from.size() - at);
    std::copy_n(as_bytes(from).begin() + static_cast<std::ptrdiff_t>(at), count, buffer.begin());
    at += count;
    return count;
  }
  std::string first_, then_;
  std::optional<Error> error_;
  std::size_t at_ = 0, then_at_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool waits_ = false, free_ = false;
};

const std::string kLarge = random_bytes(9 << 20, 3);  // more than is packed whole: it does not compress

TEST(ZipBundles, all_resources_are_members_of_one_zip_and_lines_of_the_manifest) {
  InFolder in;
  const StoredResource one =
      add(*in.bundle, {.url = "https://h/v1/siren?page=1", .content_type = "text/csv"}, "one");
  EXPECT_EQ(one.name, "v1_siren");
  EXPECT_EQ(one.location, "bundle.zip/v1_siren");
  EXPECT_EQ(one.bytes, 3u);
  EXPECT_EQ(one.sha256, sha256_hex("one"));
  const std::string second = add(*in.bundle, {.url = "https://h/v1/siren?page=2"}, "two").name;
  const BundleReceipt receipt = in.bundle->finish({{"source", "api"}});
  EXPECT_EQ(receipt.resources_stored, 2u);
  EXPECT_EQ(receipt.resources_failed, 0u);
  EXPECT_EQ(receipt.bytes, 6u);
  EXPECT_EQ(in.members(), (Members{{"v1_siren", "one"}, {second, "two"}}));
  const auto lines = in.manifest();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["name"], "bundle.zip");
  EXPECT_EQ(lines[0]["url"], "bundle://" + std::string{kBid} + "/bundle.zip");
  EXPECT_EQ(lines[0]["sha256"], sha256_hex(in.file("bundle.zip")));
  EXPECT_EQ(lines[0]["members"], 2);
  EXPECT_EQ(Json::parse(in.file("bundle.zip.meta"))["members"], 2);
  EXPECT_EQ(lines[1].dump(),
            R"({"name":"v1_siren","url":"https://h/v1/siren?page=1","content_type":"text/csv",)"
            R"("status_code":200,"size":3,"sha256":")" +
                sha256_hex("one") + R"(","member_of":"bundle.zip"})");
  EXPECT_EQ(lines[2]["name"], second);
}

TEST(ZipBundles, a_bundle_of_nothing_is_an_empty_zip) {
  InFolder in;
  EXPECT_EQ(in.bundle->finish({}).resources_stored, 0u);
  EXPECT_EQ(in.members(), Members{});
}

TEST(ZipBundles, large_members_are_streamed_and_what_comes_meanwhile_waits_on_disk) {
  InFolder in;
  Held held{kLarge, "end"};
  std::thread first{[&] { in.bundle->add({.url = "https://h/first"}, held); }};
  held.wait_until_it_waits();
  std::thread second{[&] { add(*in.bundle, {.url = "https://h/second"}, kLarge + "2"); }};
  std::thread third{[&] { add(*in.bundle, {.url = "https://h/third"}, "small"); }};
  held.let_go();
  for (auto* thread : {&first, &second, &third}) thread->join();
  in.bundle->finish({});
  EXPECT_EQ(in.members(), (Members{{"first", kLarge + "end"}, {"second", kLarge + "2"}, {"third", "small"}}));
}

TEST(ZipBundles, many_adds_at_once_all_arrive) {
  InFolder in;
  std::vector<std::thread> adders;
  for (int t = 0; t < 8; ++t)
    adders.emplace_back([&in, t] {
      for (int i = 0; i < 50; ++i)
        add(*in.bundle, {.url = fmt::format("https://h/{}?{}", i, t)}, fmt::format("{} {}", t, i));
    });
  for (std::thread& adder : adders) adder.join();
  EXPECT_EQ(in.bundle->finish({}).resources_stored, 400u);
  EXPECT_EQ(in.members().size(), 400u);
}

TEST(ZipBundles, a_small_member_that_fails_is_left_out) {
  InFolder in;
  MemorySource whole{as_bytes("hello")};
  SlowSource broken{whole, 2};
  broken.break_at(4, Error{Kind::lost, "gone"});
  EXPECT_EQ(error_of([&] { in.bundle->add({.url = "https://h/a"}, broken); }).kind(), Kind::lost);
  EXPECT_EQ(add(*in.bundle, {.url = "https://h/a"}, "again").name, "a");
  const BundleReceipt receipt = in.bundle->finish({});
  EXPECT_EQ(receipt.resources_stored, 1u);
  EXPECT_EQ(receipt.resources_failed, 1u);
  EXPECT_EQ(in.members(), (Members{{"a", "again"}}));
  EXPECT_EQ(in.manifest()[1]["failed"], "lost");
}

TEST(ZipBundles, a_streamed_member_that_fails_takes_the_bundle_with_it) {
  InFolder in;
  Held held{kLarge, "", Error{Kind::lost, "gone"}};
  held.let_go();
  EXPECT_EQ(error_of([&] { in.bundle->add({.url = "https://h/a"}, held); }).kind(), Kind::lost);
  EXPECT_EQ(error_of([&] { add(*in.bundle, {.url = "https://h/b"}, "b"); }).kind(), Kind::refused);
  for (int i = 0; i < 2; ++i) {
    const Error refused = error_of([&] { in.bundle->finish({}); });
    EXPECT_EQ(refused.kind(), Kind::refused);
    EXPECT_EQ(refused.facts().code, code::kIncomplete);
    ASSERT_TRUE(refused.facts().cause);
    EXPECT_EQ(refused.facts().cause->kind(), Kind::lost);
  }
  in.bundle.reset();
  for (const std::string& name : in.folder.names()) EXPECT_FALSE(name.starts_with("bundle_")) << name;
}

TEST(ZipBundles, a_spooled_member_that_fails_is_left_out) {
  InFolder in;
  Held streamed{kLarge, "end"}, spooled{kLarge, "", Error{Kind::corrupt, "bad"}};
  std::thread first{[&] { in.bundle->add({.url = "https://h/first"}, streamed); }};
  streamed.wait_until_it_waits();
  spooled.let_go();
  EXPECT_EQ(error_of([&] { in.bundle->add({.url = "https://h/second"}, spooled); }).kind(), Kind::corrupt);
  streamed.let_go();
  first.join();
  EXPECT_EQ(in.bundle->finish({}).resources_failed, 1u);
  EXPECT_EQ(in.members().size(), 1u);
}

// An object store whose writers fail.
class Full : public store::MemoryStore {
 public:
  std::unique_ptr<Sink> open_writer(std::string_view key, const store::WriteOptions& options,
                                    const Call& call) override {
    if (key.ends_with("bundle.zip")) throw Error{Kind::busy, "full", {.code = "no_space"}};
    return MemoryStore::open_writer(key, options, call);
  }
};

TEST(ZipBundles, what_the_storage_failed_with_is_what_adds_and_finish_say) {
  ObjectBundles storage{std::make_shared<Full>(), {.prefix = "p"}};
  ZipBundles zipping{storage};
  BundleRef ref{.bid = kBid};
  const auto bundle = zipping.start(ref, {});
  try {
    for (int i = 0; i < 1000; ++i) add(*bundle, {.url = "https://h/a"}, "a");
    FAIL() << "a pipe takes no more than its ring";
  } catch (const Error& error) {
    EXPECT_EQ(error.facts().code, "no_space");
  }
  EXPECT_EQ(error_of([&] { bundle->finish({}); }).facts().code, "no_space");
}

TEST(ZipBundles, the_marker_names_the_zip_alone) {
  auto store = std::make_shared<store::MemoryStore>();
  ObjectBundles storage{store, {.prefix = "p"}};
  ZipBundles zipping{storage};
  BundleRef ref{.bid = kBid};
  const auto bundle = zipping.start(ref, {});
  for (const char* url : {"https://h/a", "https://h/b"}) add(*bundle, {.url = url}, url);
  bundle->finish({});
  const std::string root = "p/bundles/" + std::string{kBid};
  const auto marker = store->get(root + "/metadata.json");
  EXPECT_EQ(Json::parse(test::read_all(*marker))["uploaded_keys"],
            Json::array({root + "/resources/bundle.zip"}));
  const auto object = store->get(root + "/resources/bundle.zip");
  EXPECT_EQ(members_of(test::read_all(*object)).size(), 2u);
}

TEST(ZipBundles, strict_counts_members) {
  InFolder in{{.services = {.strict = true}}};
  add(*in.bundle, {.url = "https://h/a"}, "a");
  EXPECT_EQ(error_of([&] { in.bundle->finish({}); }).facts().code, code::kIncomplete);
  InFolder two{{.services = {.strict = true}}};
  add(*two.bundle, {.url = "https://h/a"}, "a");
  add(*two.bundle, {.url = "https://h/b"}, "b");
  EXPECT_EQ(two.bundle->finish({}).resources_stored, 2u);
}

TEST(ZipBundles, archives_are_unpacked_into_the_zip_whole_or_not_at_all) {
  InFolder in;
  in.bundle.reset();
  UnzipBundles unzip{in.zipping};
  in.bundle = unzip.start(in.ref, {});
  const std::string good = zip({{.name = "a", .body = "one"},
                                {.name = "l", .body = "/etc", .attributes = 0120777u << 16},
                                {.name = "b", .body = kLarge}});
  add(*in.bundle, {.url = "https://h/x.zip"}, good);
  EXPECT_EQ(
      error_of([&] { add(*in.bundle, {.url = "https://h/y.zip"}, good.substr(0, good.size() - 1)); }).kind(),
      Kind::corrupt);
  add(*in.bundle, {.url = "https://h/plain"}, "plain");
  const BundleReceipt receipt = in.bundle->finish({});
  EXPECT_EQ(receipt.resources_stored, 3u);
  EXPECT_EQ(receipt.resources_failed, 1u);
  EXPECT_EQ(receipt.bytes, 3 + kLarge.size() + 5);
  EXPECT_EQ(in.members(), (Members{{"x.zip_a", "one"}, {"x.zip_b", kLarge}, {"plain", "plain"}}));
}

TEST(ZipBundles, what_waits_on_disk_has_a_limit) {
  TemporaryFolder folder;
  FolderBundles storage{folder.path()};
  ZipBundles zipping{storage, {.spool_bytes = 1_MiB}};
  BundleRef ref{.bid = kBid};
  const auto bundle = zipping.start(ref, {});
  {
    const auto group = bundle->open_group();
    MemorySource large{as_bytes(kLarge)};
    EXPECT_EQ(error_of([&] { group->add({.url = "https://h/a"}, large); }).facts().code,
              penstock::code::kTooLarge);
  }
  {
    const auto group = bundle->open_group();  // the room is free again
    const std::string small = random_bytes(900'000);
    MemorySource source{as_bytes(small)};
    group->add({.url = "https://h/a"}, source);
    group->keep();
  }
  EXPECT_EQ(bundle->finish({}).resources_stored, 1u);
}

TEST(ZipBundles, aborting_ends_adds_under_way_and_leaves_nothing_visible) {
  InFolder in;
  Pipe pipe;
  std::thread adder{[&] {
    EXPECT_EQ(error_of([&] { in.bundle->add({.url = "https://h/a"}, pipe.reader); }).kind(), Kind::cancelled);
  }};
  while (in.bundle->state() != State::adding) std::this_thread::yield();
  in.bundle->abort("enough");
  pipe.writer.write(as_bytes("x"));
  adder.join();
  EXPECT_EQ(in.bundle->state(), State::abandoned);
  EXPECT_EQ(error_of([&] { in.bundle->finish({}); }).facts().code, code::kNotFound);
  in.bundle.reset();
  for (const std::string& name : in.folder.names()) EXPECT_FALSE(name.starts_with("bundle_")) << name;
}

TEST(ZipBundles, an_idle_bundle_gives_way_to_another_of_its_id) {
  InFolder in;
  add(*in.bundle, {.url = "https://h/a"}, "old");
  BundleRef ref{.bid = kBid};
  const auto other = in.zipping.start(ref, {});
  EXPECT_EQ(in.bundle->state(), State::abandoned);
  add(*other, {.url = "https://h/a"}, "new");
  other->finish({});
  EXPECT_EQ(in.members(), (Members{{"a", "new"}}));
}

TEST(ZipBundles, finishing_twice_has_one_outcome) {
  InFolder in;
  add(*in.bundle, {.url = "https://h/a"}, "a");
  const BundleReceipt first = in.bundle->finish({}), second = in.bundle->finish({});
  EXPECT_EQ(first.manifest_sha256, second.manifest_sha256);
  EXPECT_EQ(in.bundle->state(), State::completed);
  in.bundle->abort("too late");
  EXPECT_EQ(in.bundle->state(), State::completed);
}

TEST(BundleZip, without_pages_to_spare_members_are_packed_on_disk) {
  BundleZip packing{{.budget = Budget::create(kPageBytes)}};
  MemorySink sink;
  std::thread reader{[&] { pump(packing.source(), sink); }};
  MemorySource body{as_bytes(kLarge)}, small{as_bytes("small")};
  packing.add({.url = "https://h/large"}, body);
  packing.add({.url = "https://h/small"}, small);
  packing.finish();
  reader.join();
  EXPECT_EQ(members_of(sink.visible()), (Members{{"large", kLarge}, {"small", "small"}}));
}

TEST(BundleZip, its_reader_gets_an_error_and_no_end_if_it_is_dropped) {
  std::optional<BundleZip> packing{std::in_place};
  MemorySource body{as_bytes("x")};
  packing->add({.url = "https://h/a"}, body);
  packing->abort("enough");
  EXPECT_EQ(error_of([&] { test::read_all(packing->source()); }).kind(), Kind::cancelled);
  EXPECT_EQ(error_of([&] { packing->finish(); }).kind(), Kind::cancelled);
}

}  // namespace
}  // namespace penstock::bundles
