#include "penstock/bundles/documents.h"

#include <gtest/gtest.h>

#include "penstock/bundles/names.h"
#include "penstock/bundles/owner.h"

#include "support/errors.h"

namespace penstock::bundles {
namespace {

using test::error_of;

Resource page(int number) {
  return {.url = "https://api.example.com/v1/siren?page=" + std::to_string(number),
          .content_type = "application/json"};
}

std::string read_all(const disk::Spool& spool) {
  std::string text(spool.size(), '\0');
  spool.read_at(0, std::as_writable_bytes(std::span{text}));
  return text;
}

TEST(Documents, a_manifest_is_what_the_format_says_byte_for_byte) {
  Manifest manifest;
  const StoredResource first{.name = "v1_siren", .bytes = 8, .sha256 = sha256_hex(R"({"id":1})")};
  const StoredResource second{.name = "v1_siren~06448de2", .bytes = 8, .sha256 = sha256_hex(R"({"id":2})")};
  EXPECT_EQ(
      line_of(page(1), first),
      R"({"name":"v1_siren","url":"https://api.example.com/v1/siren?page=1","content_type":"application/json",)"
      R"("status_code":200,"size":8,"sha256":"037c9214eef74cc3887f3a4f085b4e17d76280dafd273b0ee160c09c4ba1cfd4"})");
  manifest.append_stored(line_of(page(1), first), 8);
  manifest.append_stored(line_of(page(2), second), 8);
  EXPECT_EQ(manifest.size(), 419u);
  EXPECT_EQ(manifest.sha256(), "6b37a98f8824727027c62e992ca39249ac1e049632b01fc6be8fd9c10abfac01");
  EXPECT_EQ(sha256_hex(read_all(manifest.spool())), manifest.sha256());
}

TEST(Documents, a_line_tells_what_a_resource_was_and_what_failed) {
  Resource resource = page(1);
  resource.content_type = std::nullopt;
  resource.derived_from = DerivedFrom{"https://h/x.gz", 9, "gzip"};
  resource.mismatch = true;
  EXPECT_EQ(
      sidecar_of(resource, {.name = "n", .bytes = 1, .sha256 = "d"}),
      R"({"url":"https://api.example.com/v1/siren?page=1","content_type":null,"status_code":200,"size":1,)"
      R"("sha256":"d","derived_from":{"url":"https://h/x.gz","size":9,"codec":"gzip"},"mismatch":true})");
  EXPECT_EQ(
      line_of_failed(page(2), "n", "lost"),
      R"({"name":"n","url":"https://api.example.com/v1/siren?page=2","content_type":"application/json",)"
      R"("status_code":200,"failed":"lost"})");
  EXPECT_NE(line_of_skipped(page(2), "link").find(R"("skipped":"link")"), std::string::npos);
}

TEST(Documents, the_names_of_stored_resources_are_read_back_in_pieces) {
  Manifest manifest;
  const std::string longest(200, 'n');
  for (int i = 0; i < 3000; ++i) {
    manifest.append_stored(line_of(page(i), {.name = std::to_string(i) + longest, .sha256 = "d"}), 1);
    if (i % 7 == 0) manifest.append_failed(line_of_failed(page(i), "no", "lost"));
  }
  StoredNames names{manifest.spool()};
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(names.next(), std::to_string(i) + longest);
  EXPECT_EQ(names.next(), std::nullopt);
  EXPECT_EQ(manifest.totals().failed, 429u);
}

Sealed sealed() {
  Json metadata;
  metadata["source"] = "http_api";
  metadata["a"] = "\xc3\xa9";
  return {.ref = {.primary_url = "https://h/", .resources_count = 3, .bid = "custom-1", .storage_key = "p"},
          .metadata = metadata,
          .receipt = {.bid = "custom-1",
                      .resources_stored = 2,
                      .resources_failed = 1,
                      .bytes = 16,
                      .manifest_sha256 = "6b37",
                      .completed_at = "2026-01-15T10:30:00.123456Z"}};
}

TEST(Documents, bundle_meta_has_its_keys_in_their_order) {
  EXPECT_EQ(
      compact(bundle_meta(sealed())),
      R"({"bid":"custom-1","primary_url":"https://h/","resources_count":3,"storage_key":"p","meta":{},)"
      R"("resources_stored":2,"resources_failed":1,"bytes":16,"manifest_sha256":"6b37",)"
      R"("completed_at":"2026-01-15T10:30:00.123456Z","completion_metadata":{"source":"http_api","a":"é"}})");
}

TEST(Documents, older_readers_get_what_python_prints) {
  Sealed with = sealed();
  with.ref.meta["it's"] = Json::array({nullptr, true, 1.5, "\"q\" 'x' \\ \n\t\x01"});
  with.ref.storage_key = std::nullopt;
  EXPECT_EQ(
      python_repr(legacy_bundle_meta(with)),
      "{'bid': 'custom-1', 'primary_url': 'https://h/', 'resources_count': 3, 'storage_key': None, 'meta': "
      "{\"it's\": [None, True, 1.5, '\"q\" \\'x\\' \\\\ \\n\\t\\x01']}}");
}

TEST(Documents, a_message_is_ascii_and_indented) {
  EXPECT_EQ(message_body(sealed(), "fr"), R"({
  "bundle_id": "custom-1",
  "recipe_id": "fr",
  "primary_url": "https://h/",
  "resources_count": 3,
  "storage_key": "p",
  "completion_timestamp": "2026-01-15T10:30:00.123456Z",
  "metadata": {
    "source": "http_api",
    "a": "\u00e9"
  },
  "bundle": {
    "resources_stored": 2,
    "bytes": 16,
    "manifest_sha256": "6b37"
  }
})");
}

TEST(Documents, a_pending_record_comes_back) {
  const PendingRecord record{.ref = sealed().ref,
                             .metadata = sealed().metadata,
                             .written = "2026-01-15T10:30:00.123456Z",
                             .marker = Marker{"b", "k", "t"},
                             .owner = this_owner()};
  const PendingRecord back = parse_pending(to_text(record));
  EXPECT_EQ(to_text(back), to_text(record));
  EXPECT_EQ(back.marker->token, "t");
}

TEST(Documents, a_record_without_a_version_is_of_a_committed_bundle) {
  const PendingRecord record = parse_pending(
      R"({"bundle_ref":{"bid":"b","primary_url":"u","resources_count":1},"metadata":{},"timestamp":"t"})");
  EXPECT_EQ(record.ref.bid, "b");
  EXPECT_FALSE(record.marker);
}

TEST(Documents, what_is_no_record_is_corrupt) {
  for (
      const char* text :
      {"", "[]", "{}", "{\"bundle_ref\":1}",
       R"({"bundle_ref":{"bid":1,"primary_url":"u","resources_count":1}})",
       R"({"bundle_ref":{"bid":"b","primary_url":"u"}})",
       R"({"bundle_ref":{"bid":"b","primary_url":"u","resources_count":1},"v":1})",
       R"({"bundle_ref":{"bid":"b","primary_url":"u","resources_count":1},"v":1,"marker":{"bucket":"b"},"owner":"o"})"})
    EXPECT_EQ(error_of([&] { parse_pending(text); }).kind(), Kind::corrupt) << text;
}

TEST(Documents, a_timestamp_comes_back_and_nothing_else_does) {
  const WallTime at{std::chrono::microseconds{1768473000123456}};
  EXPECT_EQ(timestamp(at), "2026-01-15T10:30:00.123456Z");
  EXPECT_EQ(parse_timestamp(timestamp(at)), WallTime{std::chrono::seconds{1768473000}});
  for (const char* text : {"", "2026-01-15", "2026-13-15T10:30:00Z", "2026-02-30T10:30:00Z",
                           "2026-01-15T24:30:00Z", "2026-01-15T10:30:00", "20x6-01-15T10:30:00Z"})
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
}

TEST(Owner, is_dead_only_if_that_is_sure) {
  const std::string mine = this_owner();
  EXPECT_FALSE(is_surely_dead(mine));
  const auto last = mine.rfind('/');
  const auto before = mine.rfind('/', last - 1);
  EXPECT_TRUE(is_surely_dead(mine.substr(0, last) + "/1"));  // the pid was given again
  EXPECT_TRUE(is_surely_dead(mine.substr(0, before) + "/4194305" + mine.substr(last)));  // beyond all pids
  EXPECT_FALSE(is_surely_dead("another-boot/" + mine.substr(mine.find('/') + 1)));
  for (const char* text : {"", "/", "//", "nonsense"}) EXPECT_FALSE(is_surely_dead(text)) << text;
  EXPECT_FALSE(is_surely_dead(mine.substr(0, before) + "/../1"));
}

}  // namespace
}  // namespace penstock::bundles
