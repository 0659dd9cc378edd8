#include "penstock/bundles/unzip_bundles.h"

#include <thread>

#include <gtest/gtest.h>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/object_bundles.h"
#include "penstock/store/memory_store.h"
#include "penstock/streams/memory.h"
#include "penstock/streams/pipe.h"

#include "bundles/recording.h"
#include "support/errors.h"
#include "support/gzip.h"
#include "support/tar.h"
#include "support/temporary_folder.h"
#include "support/zip.h"

namespace penstock::bundles {
namespace {

using test::error_from;
using test::error_of;
using test::gzip;
using test::tar;
using test::TemporaryFolder;
using test::zip;

constexpr const char* kBid = "17571960-2065-e0cd-cf71-8196d8577b7e";

StoredResource add(Bundle& bundle, const Resource& resource, const std::string& body) {
  MemorySource source{as_bytes(body)};
  return bundle.add(resource, source);
}

// One bundle that unpacks, over a storage that records.
struct Recording {
  RecordingBundles storage;
  UnzipBundles unzip;
  BundleRef ref{.bid = kBid};
  std::unique_ptr<Bundle> bundle;
  explicit Recording(UnpackOptions options = {}) : unzip(storage, options), bundle(unzip.start(ref, {})) {}
  Recorded& recorded() { return storage.recorded; }
};

// One bundle that unpacks, in a folder.
struct InFolder {
  TemporaryFolder folder;
  FolderBundles storage{folder.path()};
  UnzipBundles unzip{storage};
  BundleRef ref{.bid = kBid};
  std::unique_ptr<Bundle> bundle = unzip.start(ref, {});

  // Of what is published, without sidecars.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const std::string& name : folder.names())
      if (name.starts_with("bundle_") && name.find('/') != name.npos && !name.ends_with(".meta"))
        names.push_back(name.substr(name.find('/') + 1));
    return names;
  }
  std::string file(const std::string& name) const { return test::read_file(*ref.storage_key + "/" + name); }
  std::vector<Json> manifest() const {
    std::vector<Json> lines;
    std::istringstream text{file("bundle.manifest.meta")};
    for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
    return lines;
  }
};

TEST(UnzipBundles, members_become_resources_named_by_the_archives_url_and_their_path) {
  InFolder in;
  const StoredResource all =
      add(*in.bundle, {.url = "https://h/d/x.zip?id=1", .content_type = "application/zip"},
          zip({{.name = "a/b.csv", .body = "1"},
               {.name = "a/c.csv", .body = "22"},
               {.name = "a_b.csv", .body = "333"},
               {.name = "d?.csv", .body = "4444"}}));
  EXPECT_EQ(all.bytes, 10u);
  EXPECT_EQ(all.name, "");
  EXPECT_EQ(in.bundle->finish({}).resources_stored, 4u);
  EXPECT_EQ(in.names(),
            (std::vector<std::string>{
                "d_x.zip_a_b.csv", "d_x.zip_a_b~" + sha256_hex("https://h/d/x.zip/a_b.csv?id=1", 8) + ".csv",
                "d_x.zip_a_c.csv", "d_x.zip_d_3F.csv"}));
  EXPECT_EQ(in.file("d_x.zip_a_c.csv"), "22");
  EXPECT_EQ(in.manifest().at(0).dump(),
            R"({"name":"d_x.zip_a_b.csv","url":"https://h/d/x.zip/a/b.csv?id=1",)"
            R"("content_type":"application/octet-stream","status_code":200,"size":1,"sha256":")" +
                sha256_hex("1") + R"(","derived_from":{"url":"https://h/d/x.zip?id=1","size":)" +
                std::to_string(in.manifest().at(0)["derived_from"]["size"].get<int>()) +
                R"(,"codec":"zip"}})");
}

TEST(UnzipBundles, plain_bodies_and_inflated_ones_go_straight_through) {
  InFolder in;
  EXPECT_EQ(add(*in.bundle, {.url = "https://h/a.txt"}, "plain").name, "a.txt");
  EXPECT_EQ(add(*in.bundle, {.url = "https://h/b.csv.gz"}, gzip("inflated")).name, "b.csv");
  EXPECT_EQ(add(*in.bundle, {.url = "https://h/c.zip"}, "<html>").name, "c.zip");
  in.bundle->finish({});
  EXPECT_EQ(in.file("a.txt"), "plain");
  EXPECT_EQ(in.file("b.csv"), "inflated");
  EXPECT_EQ(in.manifest().at(2)["mismatch"], true);
}

TEST(UnzipBundles, documents_are_byte_identical) {
  const std::string xlsx =
      zip({{.name = "[Content_Types].xml", .body = "<Types/>"}, {.name = "xl/a", .body = "b"}});
  const std::string jar = zip({{.name = "META-INF/MANIFEST.MF", .body = "x"}, {.name = "A.class"}});
  const std::string docx = zip({{.name = "word/document.xml", .body = "x"}, {.name = "[Content_Types].xml"}});
  InFolder in;
  add(*in.bundle, {.url = "https://h/x.xlsx"}, xlsx);
  add(*in.bundle, {.url = "https://h/get?what=jar", .content_type = "application/octet-stream"}, jar);
  add(*in.bundle, {.url = "https://h/y.docx", .content_type = "application/zip"}, docx);
  in.bundle->finish({});
  EXPECT_EQ(in.file("x.xlsx"), xlsx);
  EXPECT_EQ(in.file("get"), jar);
  EXPECT_EQ(in.file("y.docx"), docx);
}

TEST(UnzipBundles, of_an_archive_that_fails_nothing_stays_but_one_line) {
  InFolder in;
  const std::string bad = tar({{.name = "a", .body = "one"}, {.name = "b", .body = "two"}}) + "junk";
  EXPECT_EQ(error_of([&] { add(*in.bundle, {.url = "https://h/x.tar"}, bad); }).kind(), Kind::corrupt);
  const std::string crc = zip({{.name = "a", .body = "one"}, {.name = "b", .body = "two", .crc32 = 1}});
  EXPECT_EQ(error_of([&] { add(*in.bundle, {.url = "https://h/x.zip"}, crc); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { add(*in.bundle, {.url = "https://h/x.gz"}, "\x1f"); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { add(*in.bundle, {.url = "https://h/y.gz"}, gzip("abc") + "junk"); }).kind(),
            Kind::corrupt);
  add(*in.bundle, {.url = "https://h/x.tar/a"}, "its name is free again");
  const BundleReceipt receipt = in.bundle->finish({});
  EXPECT_EQ(receipt.resources_stored, 1u);
  EXPECT_EQ(receipt.resources_failed, 4u);
  EXPECT_EQ(in.names(), std::vector<std::string>{"x.tar_a"});
  std::string failed;
  for (const Json& line : in.manifest())
    if (line.contains("failed"))
      failed += line["url"].get<std::string>() + " " + line["failed"].get<std::string>() + ";";
  EXPECT_EQ(failed,
            "https://h/x.tar corrupt;https://h/x.zip corrupt;https://h/x.gz corrupt;https://h/y.gz corrupt;");
}

TEST(UnzipBundles, links_are_lines_and_no_files) {
  InFolder in;
  add(*in.bundle, {.url = "https://h/x.zip"},
      zip({{.name = "a", .body = "one"},
           {.name = "l", .body = "/etc/passwd", .attributes = 0120777u << 16},
           {.name = "b", .body = "two"}}));
  add(*in.bundle, {.url = "https://h/x.tar"}, tar({{.name = "l", .type = '2', .link_to = "/etc/passwd"}}));
  add(*in.bundle, {.url = "https://h/x.zip/l"}, "its name is free again");
  const BundleReceipt receipt = in.bundle->finish({});
  EXPECT_EQ(receipt.resources_stored, 3u);
  EXPECT_EQ(receipt.bytes, 6u + 22u);
  EXPECT_EQ(in.names(), (std::vector<std::string>{"x.zip_a", "x.zip_b", "x.zip_l"}));
  EXPECT_EQ(in.file("x.zip_l"), "its name is free again");
  std::string skipped;
  for (const Json& line : in.manifest())
    if (line.contains("skipped")) {
      EXPECT_FALSE(line.contains("name"));
      EXPECT_FALSE(line.contains("sha256"));
      skipped += line["url"].get<std::string>() + " " + line["skipped"].get<std::string>() + ";";
    }
  EXPECT_EQ(skipped, "https://h/x.zip/l link or device;https://h/x.tar/l link;");
}

TEST(UnzipBundles, an_object_store_gets_all_members_or_none) {
  auto store = std::make_shared<store::MemoryStore>();
  ObjectBundles storage{store, {.prefix = "p"}};
  UnzipBundles unzip{storage};
  BundleRef ref{.bid = kBid};
  const auto bundle = unzip.start(ref, {});
  const std::string root = "p/bundles/" + std::string{kBid};
  const std::string good = gzip(tar({{.name = "a", .body = "one"}, {.name = "b", .body = "two"}}));
  EXPECT_TRUE(error_from([&] { add(*bundle, {.url = "https://h/y.tgz"}, good.substr(0, good.size() - 4)); }));
  add(*bundle, {.url = "https://h/x.tgz"}, good);
  bundle->finish({});
  std::vector<std::string> keys;
  const auto listing = store->list(root + "/resources/");
  while (const auto object = listing->next()) keys.push_back(object->key.substr(root.size()));
  EXPECT_EQ(keys, (std::vector<std::string>{"/resources/x.tgz_a", "/resources/x.tgz_b"}));
  const auto marker = store->get(root + "/metadata.json");
  const Json uploaded = Json::parse(test::read_all(*marker))["uploaded_keys"];
  EXPECT_EQ(uploaded.size(), 2u);
}

TEST(UnzipBundles, starting_recovering_and_sweeping_are_the_storages_own) {
  Recording r;
  EXPECT_EQ(r.ref.storage_key, "recorded/" + std::string{kBid});
  EXPECT_EQ(r.unzip.recover({.id = "fr"}).recovered, 7u);
  EXPECT_EQ(r.unzip.sweep({.remove = true}), 3u);
  EXPECT_EQ(r.storage.asked, "recover fr;sweep and remove;");
  EXPECT_EQ(r.bundle->state(), State::open);
  r.bundle->finish({{"source", "api"}});
  EXPECT_EQ(r.recorded().finished->dump(), R"({"source":"api"})");
  EXPECT_EQ(r.bundle->state(), State::completed);
  EXPECT_EQ(error_of([&] { add(*r.bundle, {.url = "u"}, "x"); }).facts().code, code::kNotFound);
}

TEST(UnzipBundles, aborting_reaches_the_storage) {
  Recording r;
  r.bundle->abort("enough");
  EXPECT_EQ(r.recorded().aborted, "enough");
  EXPECT_EQ(r.bundle->state(), State::abandoned);
  {
    Recording dropped;
    dropped.bundle.reset();
    EXPECT_EQ(dropped.recorded().aborted, "it was dropped unfinished");
  }
}

TEST(UnzipBundles, a_group_takes_archives_and_counts_each_as_one) {
  Recording r;
  {
    const auto group = r.bundle->open_group();
    const std::string gzipped = gzip("x"),
                      packed = zip({{.name = "a", .body = "1"}, {.name = "b", .body = "2"}});
    MemorySource one{as_bytes("plain")}, two{as_bytes(gzipped)};
    MemorySource three{as_bytes(packed)}, four{as_bytes(packed)};
    group->add({.url = "https://h/p"}, one);
    group->add({.url = "https://h/x.zip"}, three);
    group->add({.url = "https://h/g.gz"}, two);
    group->add({.url = "https://h/y.zip"}, four);
    group->withdraw(1, "not wanted");
    group->withdraw(3, "nor this");
    group->skip({.url = "https://h/l"}, "link");
    group->keep();
  }
  EXPECT_EQ(r.recorded().by_url(),
            (std::map<std::string, std::string>{{"https://h/p", "plain"}, {"https://h/g", "x"}}));
  EXPECT_EQ(r.recorded().skipped.size(), 5u);
}

TEST(UnzipBundles,
     a_group_goes_on_after_an_archive_that_failed_at_once_and_is_lost_after_one_that_failed_later) {
  Recording r;
  const std::string good = zip({{.name = "a", .body = "1"}});
  {
    const auto group = r.bundle->open_group();
    MemorySource bad{as_bytes("\x1f\x8b\x08xxx")}, whole{as_bytes(good)};
    EXPECT_TRUE(error_from([&] { group->add({.url = "https://h/x.tgz"}, bad); }));
    group->add({.url = "https://h/x.zip"}, whole);
    group->keep();
  }
  EXPECT_EQ(r.recorded().stored.size(), 1u);
  EXPECT_EQ(r.recorded().failed.size(), 1u);
  {
    const auto group = r.bundle->open_group();
    const std::string cut = good.substr(0, good.size() - 1);
    MemorySource bad{as_bytes(cut)};
    EXPECT_TRUE(error_from([&] { group->add({.url = "https://h/y.zip"}, bad); }));
    EXPECT_EQ(error_of([&] { group->keep(); }).kind(), Kind::refused);
  }
  EXPECT_EQ(r.recorded().stored.size(), 1u);
}

// A body that is looked at is an add under way, though the bundle underneath knows nothing of it yet.
TEST(UnzipBundles, finishing_waits_for_what_is_being_looked_at) {
  InFolder in;
  Pipe pipe;
  std::thread adder{[&] { in.bundle->add({.url = "https://h/x.gz"}, pipe.reader); }};
  while (in.bundle->state() != State::adding) std::this_thread::yield();
  std::thread finisher{[&] { in.bundle->finish({}); }};
  while (in.bundle->state() != State::completing) std::this_thread::yield();
  pipe.writer.write(as_bytes(gzip("late")));
  pipe.writer.finish();
  adder.join();
  finisher.join();
  EXPECT_EQ(in.file("x"), "late");
}

}  // namespace
}  // namespace penstock::bundles
