#include "penstock/bundles/unpacker.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/gzip.h"
#include "support/read_all.h"
#include "support/tar.h"
#include "support/zip.h"

namespace penstock::bundles {
namespace {

using test::error_of;
using test::gzip;
using test::tar;
using test::zip;

struct Came {
  std::string url, body, type;
  std::string codec{}, skipped{};
  bool mismatch = false;
};

struct Given {
  std::string url = "https://h/x";
  std::optional<std::string> type{};
  UnpackOptions options{};
  int status_code = 200;
};

std::vector<Came> unpacked(const std::string& body, const Given& given, std::size_t step = 64 * 1024) {
  MemorySource whole{as_bytes(body)};
  SlowSource slow{whole, step};
  Unpacker unpacker{
      slow, {.url = given.url, .content_type = given.type, .status_code = given.status_code}, given.options};
  std::vector<Came> all;
  while (const Unpacked* found = unpacker.next()) {
    const Resource& r = found->resource;
    EXPECT_EQ(r.status_code, given.status_code);
    if (r.derived_from) {
      EXPECT_EQ(r.derived_from->url, given.url);
      EXPECT_EQ(r.derived_from->bytes, body.size());
    }
    all.push_back({.url = r.url,
                   .body = test::read_all(unpacker.content()),
                   .type = r.content_type.value_or("none"),
                   .codec = r.derived_from ? r.derived_from->codec : "",
                   .skipped = found->skipped,
                   .mismatch = r.mismatch});
  }
  EXPECT_EQ(unpacker.next(), nullptr);
  return all;
}

// "url=body" of each, and what is remarkable.
std::string listed(const std::string& body, const Given& given, std::size_t step = 64 * 1024) {
  std::string all;
  for (const Came& came : unpacked(body, given, step))
    all +=
        fmt::format("{}{}={}{}{}", all.empty() ? "" : " ", came.url, came.body,
                    came.skipped.empty() ? "" : "(" + came.skipped + ")", came.mismatch ? "(mismatch)" : "");
  return all;
}

std::string type_of(const std::string& body, const std::string& url, std::optional<std::string> type) {
  return unpacked(body, {.url = url, .type = std::move(type)}).at(0).type;
}

const std::string kZip = zip({{.name = "a", .body = "one"}, {.name = "d/b", .body = "two"}});
const std::string kTar = tar({{.name = "a", .body = "one"}, {.name = "d/b", .body = "two"}});

TEST(Unpacker, gzip_is_inflated_whatever_it_says_it_is) {
  for (const char* type : {"text/csv", "application/gzip", "application/zip", "text/html; charset=utf-8"})
    EXPECT_EQ(listed(gzip("hello"), {.url = "https://h/x", .type = type}), "https://h/x=hello") << type;
  EXPECT_EQ(listed(gzip("one") + gzip("two"), {.url = "https://h/x.csv.gz"}), "https://h/x.csv=onetwo");
  EXPECT_EQ(unpacked(gzip("hello"), {}).at(0).codec, "gzip");
}

TEST(Unpacker, the_suffix_of_gzip_leaves_the_path_in_any_case_and_no_other_part) {
  const auto url_of = [](const std::string& url) { return unpacked(gzip("x"), {.url = url}).at(0).url; };
  EXPECT_EQ(url_of("https://h/d/x.csv.GZ?a=b.gz#c.gz"), "https://h/d/x.csv?a=b.gz#c.gz");
  EXPECT_EQ(url_of("https://h/x.gzip"), "https://h/x");
  EXPECT_EQ(url_of("https://h.gz"), "https://h.gz");
  EXPECT_EQ(url_of("https://h.gz?x.gz"), "https://h.gz?x.gz");
  EXPECT_EQ(url_of("x.gz"), "x");
  EXPECT_EQ(url_of("https://h/x.tgz"), "https://h/x.tgz");
}

TEST(Unpacker, a_type_that_said_gzip_is_guessed_and_others_stay) {
  EXPECT_EQ(type_of(gzip("x"), "https://h/x.csv.gz", "application/gzip"), "text/csv");
  EXPECT_EQ(type_of(gzip("x"), "https://h/x.JSON.gz", "application/x-gzip; q=1"), "application/json");
  EXPECT_EQ(type_of(gzip("x"), "https://h/x.gz", "application/gzip"), "application/octet-stream");
  EXPECT_EQ(type_of(gzip("x"), "https://h/x.csv.gz", "text/plain"), "text/plain");
  EXPECT_EQ(type_of(gzip("x"), "https://h/x.csv.gz", std::nullopt), "none");
}

TEST(Unpacker, a_tar_gives_its_members_if_it_says_so_or_says_nothing) {
  const std::string all = "https://h/x.tar/a=one https://h/x.tar/d/b=two";
  EXPECT_EQ(listed(kTar, {.url = "https://h/x.tar"}), all);
  EXPECT_EQ(listed(gzip(kTar), {.url = "https://h/x.tar.gz", .type = "application/gzip"}), all);
  EXPECT_EQ(listed(gzip(kTar), {.url = "https://h/x.tgz", .type = "application/octet-stream"}, 1),
            "https://h/x.tgz/a=one https://h/x.tgz/d/b=two");
  EXPECT_EQ(listed(kTar, {.url = "https://h/get?f=1", .type = "application/octet-stream"}),
            "https://h/get/a?f=1=one https://h/get/d/b?f=1=two");
  EXPECT_EQ(unpacked(kTar, {}).at(0).codec, "tar");
  EXPECT_EQ(unpacked(gzip(kTar), {}).at(0).codec, "tar.gz");
  for (const char* type : {"text/plain", "application/json"})
    EXPECT_EQ(unpacked(kTar, {.type = type}).size(), 1u) << type;
  EXPECT_EQ(unpacked(gzip(kTar), {.url = "https://h/x.csv.gz"}).size(), 1u);
  std::string damaged = kTar;
  damaged[0] = 'b';  // its checksum is wrong, so it is none
  EXPECT_EQ(listed(damaged, {}), "https://h/x=" + damaged);
}

TEST(Unpacker, a_zip_gives_its_members_if_it_says_so_or_says_nothing) {
  const std::string all = "https://h/d/x.zip/a?id=1=one https://h/d/x.zip/d/b?id=1=two";
  for (const std::size_t step : {std::size_t{1}, kZip.size()})
    EXPECT_EQ(listed(kZip, {.url = "https://h/d/x.zip?id=1", .type = "text/plain"}, step), all);
  EXPECT_EQ(listed(kZip, {.type = "application/zip"}), "https://h/x/a=one https://h/x/d/b=two");
  EXPECT_EQ(listed(kZip, {.type = "binary/octet-stream"}), "https://h/x/a=one https://h/x/d/b=two");
  EXPECT_EQ(listed(kZip, {.url = "https://h"}), "https://h/a=one https://h/d/b=two");
  EXPECT_EQ(listed(zip({}), {}), "");
  EXPECT_EQ(unpacked(kZip, {.type = "image/png"}).size(), 1u);
  for (const Came& came : unpacked(kZip, {.type = "application/zip"})) {
    EXPECT_EQ(came.type, "application/octet-stream");
    EXPECT_EQ(came.codec, "zip");
  }
}

TEST(Unpacker, what_says_it_is_a_zip_stays_whole_if_that_is_wanted) {
  const UnpackOptions keep{.keep_zip = true};
  EXPECT_EQ(listed(kZip, {.url = "https://h/x.zip", .options = keep}), "https://h/x.zip=" + kZip);
  EXPECT_EQ(listed(kZip, {.type = "application/zip", .options = keep}), "https://h/x=" + kZip);
  EXPECT_EQ(unpacked(kZip, {.options = keep}).size(), 2u);
}

TEST(Unpacker, documents_stay_whole) {
  for (const char* url : {"https://h/x.xlsx", "https://h/x.DOCX?a=b", "https://h/x.jar", "https://h/x.whl"})
    EXPECT_EQ(listed(kZip, {.url = url, .type = "application/zip"}), std::string{url} + "=" + kZip);
  for (const char* type : {"application/epub+zip", "application/java-archive",
                           "application/vnd.openxmlformats-officedocument.wordprocessingml.document"})
    EXPECT_EQ(listed(kZip, {.type = type}), "https://h/x=" + kZip) << type;
  for (const char* first : {"mimetype", "META-INF/MANIFEST.MF", "[Content_Types].xml"}) {
    const std::string document = zip({{.name = first, .body = "x", .deflated = false}, {.name = "a"}});
    EXPECT_EQ(listed(document, {.url = "https://h/x.zip"}, 1), "https://h/x.zip=" + document);
  }
  const std::string other = zip({{.name = "mimetypes", .body = "x"}});
  EXPECT_EQ(listed(other, {}), "https://h/x/mimetypes=x");
}

TEST(Unpacker, what_is_none_of_them_is_stored_as_it_is_and_told_apart_if_it_said_it_was) {
  EXPECT_EQ(listed("hello", {}), "https://h/x=hello");
  EXPECT_EQ(listed("", {}), "https://h/x=");
  for (const char* url : {"https://h/x.gz", "https://h/x.zip", "https://h/x.tgz", "https://h/x.tar"})
    EXPECT_EQ(listed("<html>not found</html>", {.url = url}),
              std::string{url} + "=<html>not found</html>(mismatch)");
  EXPECT_EQ(listed(kZip, {.url = "https://h/x.gz"}), "https://h/x.gz=" + kZip + "(mismatch)");
  EXPECT_EQ(listed("PK is my name", {}), "https://h/x=PK is my name");
  EXPECT_EQ(listed("", {.url = "https://h/x.zip", .status_code = 404}), "https://h/x.zip=(mismatch)");
}

TEST(Unpacker, an_archive_within_an_archive_is_a_member) {
  EXPECT_EQ(listed(zip({{.name = "in.zip", .body = kZip}}), {}), "https://h/x/in.zip=" + kZip);
  EXPECT_EQ(listed(tar({{.name = "in.gz", .body = gzip("x")}}), {}), "https://h/x/in.gz=" + gzip("x"));
  EXPECT_EQ(listed(gzip(kZip), {.url = "https://h/x.zip.gz"}), "https://h/x.zip=" + kZip);
  EXPECT_EQ(listed(gzip(gzip("x")), {}), "https://h/x=" + gzip("x"));
}

TEST(Unpacker, characters_that_would_end_a_path_are_encoded_in_names) {
  EXPECT_EQ(listed(zip({{.name = "a?b#c%d e/\xc3\xa9", .body = "x"}}), {.url = "https://h/x.zip?q#f"}),
            "https://h/x.zip/a%3Fb%23c%25d e/\xc3\xa9?q#f=x");
  EXPECT_EQ(listed(zip({{.name = "a", .body = "x"}}), {.url = "https://h/d/"}), "https://h/d/a=x");
}

TEST(Unpacker, links_and_devices_are_skipped_and_folders_are_nothing) {
  EXPECT_EQ(listed(tar({{.name = "d/", .type = '5'},
                        {.name = "l", .type = '2', .link_to = "/etc/passwd"},
                        {.name = "dev", .type = '3'},
                        {.name = "a", .body = "one"}}),
                   {}),
            "https://h/x/l=(link) https://h/x/dev=(device) https://h/x/a=one");
}

TEST(Unpacker, links_in_a_zip_are_known_at_its_end_by_their_number_among_files) {
  const std::string archive = zip({{.name = "d/", .deflated = false},
                                   {.name = "a", .body = "one"},
                                   {.name = "l", .body = "/etc", .attributes = 0120777u << 16},
                                   {.name = "e/", .deflated = false},
                                   {.name = "b", .body = "two"},
                                   {.name = "m", .body = "a", .attributes = 0120777u << 16}});
  MemorySource source{as_bytes(archive)};
  Unpacker unpacker{source, {.url = "https://h/x"}};
  EXPECT_TRUE(unpacker.is_archive());
  while (unpacker.next()) {
  }
  EXPECT_EQ(unpacker.withdrawn(), (std::vector<std::uint64_t>{1, 3}));
}

TEST(Unpacker, what_is_cut_within_its_magic_is_truncated) {
  for (const std::string& body : {std::string{}, std::string{"\x1f"}, std::string{"\x1f\x8b"}})
    EXPECT_EQ(error_of([&] { listed(body, {.url = "https://h/x.gz"}); }).facts().code,
              codecs::code::kTruncated);
  for (const char* body : {"", "P", "PK", "PK\3"})
    EXPECT_EQ(error_of([&] { listed(body, {.url = "https://h/x.zip"}); }).facts().code,
              codecs::code::kTruncated)
        << body;
  EXPECT_EQ(listed("P", {.url = "https://h/x.zip", .options = {.keep_zip = true}}),
            "https://h/x.zip=P(mismatch)");
}

TEST(Unpacker, a_failure_is_thrown_again) {
  MemorySource source{as_bytes("\x1f\x8b\x08no gzip")};
  Unpacker unpacker{source, {.url = "https://h/x.tar.gz"}};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(error_of([&] { unpacker.next(); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { unpacker.is_archive(); }).kind(), Kind::corrupt);
}

TEST(Unpacker, what_follows_gzip_is_corrupt_unless_it_is_to_be_dropped) {
  EXPECT_EQ(listed(gzip("x") + std::string(100, '\0'), {}), "https://h/x=x");
  EXPECT_EQ(error_of([] { listed(gzip("x") + "junk", {}); }).facts().code, codecs::code::kTrailing);
  EXPECT_EQ(listed(gzip("x") + "junk", {.options = {.ignore_trailing = true}}), "https://h/x=x");
}

TEST(Unpacker, limits_and_unsafe_names_are_refused) {
  for (const char* name : {"/etc/passwd", "../x", "a/../../x", "C:x", "a\\b"}) {
    EXPECT_EQ(error_of([&] { listed(zip({{.name = name, .body = "x"}}), {}); }).kind(), Kind::refused);
    EXPECT_EQ(error_of([&] { listed(tar({{.name = name, .body = "x"}}), {}); }).kind(), Kind::refused);
  }
  const UnpackOptions few{.limits = {.entries = 1}};
  EXPECT_EQ(error_of([&] { listed(kZip, {.options = few}); }).facts().code, penstock::code::kTooLarge);
  EXPECT_EQ(error_of([&] { listed(kTar, {.options = few}); }).facts().code, penstock::code::kTooLarge);
  const UnpackOptions small{.limits = {.total_bytes = 10}};
  EXPECT_EQ(error_of([&] { listed(gzip("hello, hello"), {.options = small}); }).facts().code,
            penstock::code::kTooLarge);
}

TEST(Unpacker, the_body_passes_with_its_length_and_can_be_read_again) {
  MemorySource source{as_bytes("hello")};
  Unpacker unpacker{source, {.url = "https://h/x"}};
  unpacker.next();
  EXPECT_EQ(unpacker.content().remaining(), 5u);
  unpacker.content().mark();
  EXPECT_EQ(test::read_all(unpacker.content()), "hello");
  unpacker.content().rewind();
  EXPECT_EQ(test::read_all(unpacker.content()), "hello");
}

}  // namespace
}  // namespace penstock::bundles
