// Forty-odd archives from hostile hands: nothing outside the folder, nothing beyond the limits, in little
// memory.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/unzip_bundles.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/memory.h"

#include "bundles/storages.h"
#include "support/child.h"
#include "support/errors.h"
#include "support/gzip.h"
#include "support/tar.h"
#include "support/zip.h"
#include "support/zip_of_itself.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::error_from;
using penstock::test::gzip;
using penstock::test::le16;
using penstock::test::le32;
using penstock::test::pax;
using penstock::test::read_file;
using penstock::test::tar;
using penstock::test::TarMember;
using penstock::test::write_file;
using penstock::test::zip;
using penstock::test::ZipMember;

constexpr codecs::Limits kLimits{.total_bytes = 2'000'000, .ratio_from = 1'000'000, .entries = 2'000};

std::string listing(const std::string& name, std::uint32_t crc32, std::size_t packed_bytes, std::size_t bytes,
                    std::size_t offset) {
  return "PK\1\2" + le16(3 << 8 | 20) + le16(20) + le16(0) + le16(8) + le16(0) + le16(0x21) + le32(crc32) +
         le32(packed_bytes) + le32(bytes) + le16(name.size()) + le16(0) + le16(0) + le16(0) + le16(0) +
         le32(0100644u << 16) + le32(offset) + name;
}

std::uint32_t crc32_of(const std::string& bytes) {
  Hasher crc{Algorithm::crc32};
  crc.update(as_bytes(bytes));
  return codecs::zip::crc32_of(crc);
}

std::string with_directory(const std::string& members, const std::vector<std::string>& entries) {
  std::string directory;
  for (const std::string& entry : entries) directory += entry;
  return members + directory + "PK\5\6" + le16(0) + le16(0) + le16(entries.size()) + le16(entries.size()) +
         le32(directory.size()) + le32(members.size()) + le16(0);
}

std::string local(const std::string& name, std::uint32_t crc32, std::size_t packed_bytes, std::size_t bytes) {
  return "PK\3\4" + le16(20) + le16(0) + le16(8) + le16(0) + le16(0x21) + le32(crc32) + le32(packed_bytes) +
         le32(bytes) + le16(name.size()) + le16(0) + name;
}

// A stored member is itself a zip, and the directory lists the inner member beside it: one byte, two files.
std::string zip_in_a_member() {
  const std::string inner = zip({{.name = "inner", .body = std::string(1000, 'i')}});
  const std::string outer = zip({{.name = "good", .body = inner, .deflated = false}});
  const std::size_t at = outer.find("PK\3\4", 4), packed_bytes = inner.find("PK\1\2") - 35;
  const std::string members = outer.substr(0, outer.rfind("PK\1\2"));
  const std::string directory = outer.substr(members.size(), 50);
  return with_directory(
      members, {directory, listing("inner", crc32_of(std::string(1000, 'i')), packed_bytes, 1000, at)});
}

// Each member's deflate data quote the header of the next and go on into its data: all share one kernel, so
// that the directory promises the square of what is there.
std::string zip_of_quoted_headers() {
  constexpr std::size_t kMembers = 200;
  const std::string kernel_content(900'000, '\0');
  std::string data = penstock::test::deflate(kernel_content), content = kernel_content;
  std::vector<std::string> entries;
  std::vector<std::size_t> back;  // where each begins, from the end of all
  for (std::size_t i = kMembers; i-- > 0;) {
    const std::string name = fmt::format("{:04}", i);
    const std::string header = local(name, crc32_of(content), data.size(), content.size());
    entries.insert(entries.begin(), listing(name, crc32_of(content), data.size(), content.size(), 0));
    const std::string quoting = std::string{"\0", 1} + le16(header.size()) + le16(~header.size() & 0xffff);
    back.insert(back.begin(), header.size() + data.size());
    content = header + content;
    data = quoting + header + data;
  }
  const std::string members = data.substr(5);  // the first is quoted by none
  for (std::size_t i = 0; i < kMembers; ++i) entries[i].replace(42, 4, le32(members.size() - back[i]));
  return with_directory(members, entries);
}

// Each has a member "good" first, which must not stay.
std::vector<std::string> hostile_archives() {
  std::vector<std::string> all;
  const auto zip_with = [&](const ZipMember& bad) {
    all.push_back(zip({{.name = "good", .body = "x"}, bad, {.name = "z"}}));
  };
  const auto tar_with = [&](const TarMember& bad) {
    all.push_back(tar({{.name = "good", .body = "x"}, bad}));
    all.push_back(gzip(all.back()));
  };
  for (const char* name : {"../x", "/tmp/penstock-outside", "a/../../../x", "..\\x", "C:\\x"}) {
    zip_with({.name = name, .body = "x"});
    tar_with({.name = name, .body = "x"});
  }
  zip_with({.name = std::string{"a\0b", 3}});
  zip_with({.name = ""});
  zip_with({.name = std::string(1025, 'n')});
  zip_with({.name = "good"});
  zip_with({.name = "a", .listed_as = "../x"});
  zip_with({.name = "a", .listed = 0});
  zip_with({.name = "a", .listed = 1000});
  zip_with({.name = "a", .body = "x", .crc32 = 1});
  zip_with({.name = "a", .body = "x", .bytes = 0xfffffffe});
  zip_with({.name = "a", .body = std::string(3'000'000, '\0')});
  zip_with({.name = "link/", .body = "/etc", .attributes = 0120777u << 16});
  for (const std::uint16_t flags : {1, 1 << 5, 1 << 6, 1 << 13}) zip_with({.name = "a", .flags = flags});
  for (const std::uint16_t method : {1, 9, 12, 93, 99}) zip_with({.name = "a", .method = method});
  tar_with({.name = "a", .body = "x", .size = "77777777777"});
  tar_with({.name = "x", .body = pax("path", "../x"), .type = 'x'});
  tar_with({.name = "x", .body = "../x", .type = 'L'});
  tar_with({.name = "a", .type = 'S'});
  all.push_back(gzip(std::string(3'000'000, '\0')));
  all.push_back(zip({{.name = "good"}}) + zip({{.name = "evil"}}));
  all.push_back(zip_in_a_member());
  all.push_back(zip_of_quoted_headers());
  return all;
}

class Hostile : public ::testing::Test {
 protected:
  Hostile() {
    write_file(outer / "beside", "precious");
    for (const char* name : {"in", "here"}) fs::create_directories(outer / name);
    fs::current_path(outer / "here");
  }
  ~Hostile() override { fs::current_path(before_); }
  // What lies around the storage's folder, with its bytes.
  std::map<std::string, std::string> around() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::directory_iterator(outer.path()))
      found[entry.path().filename()] = entry.is_regular_file() ? read_file(entry.path()) : "";
    found["absolute"] = fs::exists("/tmp/penstock-outside") ? "is there" : "is not";
    for (const auto& entry : fs::directory_iterator(outer / "here")) found[entry.path()] = "is here";
    return found;
  }
  static std::optional<Error> add(Bundle& bundle, const std::string& url, const std::string& bytes) {
    MemorySource body{as_bytes(bytes)};
    return error_from([&] { bundle.add({.url = url}, body); });
  }

  TemporaryFolder outer;

 private:
  fs::path before_ = fs::current_path();
};

TEST_F(Hostile, none_leaves_its_folder_and_none_is_stored) {
  const auto hostile = hostile_archives();
  EXPECT_GE(hostile.size(), 40U);
  const auto before = around();
  FolderBundles storage{outer / "in"};
  UnzipBundles unzip{storage, {.limits = kLimits}};
  BundleRef ref = reference("test-hostile");
  const auto bundle = unzip.start(ref, {});
  for (std::size_t number = 0; number < hostile.size(); ++number) {
    const auto error = add(*bundle, fmt::format("https://h/{}", number), hostile[number]);
    ASSERT_TRUE(error) << number;
    EXPECT_TRUE(error->kind() == Kind::refused || error->kind() == Kind::corrupt) << number;
  }
  EXPECT_EQ(bundle->finish({}).resources_failed, hostile.size());
  EXPECT_EQ(around(), before);
  std::vector<std::string> visible;
  for (const auto& entry : fs::recursive_directory_iterator(outer / "in")) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && name != "lock" && name != "door") visible.push_back(name);
  }
  std::sort(visible.begin(), visible.end());
  EXPECT_EQ(visible, (std::vector<std::string>{"bundle.manifest.meta", "bundle.meta"}));
}

// Read as a storage reads them: what comes out before each is refused.
TEST_F(Hostile, none_gives_more_than_its_limit) {
  const auto hostile = hostile_archives();
  for (std::size_t number = 0; number < hostile.size(); ++number) {
    MemorySource body{as_bytes(hostile[number])};
    Unpacker unpacker{body, {.url = "https://h/x"}, {.limits = kLimits}};
    std::uint64_t bytes = 0, entries = 0;
    std::vector<std::byte> some(64 * 1024);
    EXPECT_TRUE(error_from([&] {
      for (; unpacker.next(); ++entries)
        while (const std::size_t got = unpacker.content().read(some)) bytes += got;
    })) << number;
    EXPECT_LE(bytes, kLimits.total_bytes) << number;
    EXPECT_LE(entries, kLimits.entries) << number;
  }
}

TEST_F(Hostile, all_need_less_than_64_MiB) {
  const auto hostile = hostile_archives();
  const auto child = penstock::test::in_child([&] {
    FolderBundles storage{outer / "in"};
    UnzipBundles unzip{storage, {.limits = kLimits}};
    BundleRef ref = reference("test-hostile");
    const auto bundle = unzip.start(ref, {});
    for (const std::string& archive : hostile) add(*bundle, "https://h/x", archive);
    return bundle->finish({}).resources_failed == hostile.size() ? 0 : 1;
  });
  EXPECT_TRUE(child.in_time);
  EXPECT_EQ(child.code, 0);
  std::printf("grew by %s at most\n", format_bytes(child.peak_growth_bytes).c_str());
  EXPECT_LE(child.peak_growth_bytes, 64_MiB);
}

// With the limits that are the default.
TEST_F(Hostile, a_bomb_stops_at_the_default_ratio_in_less_than_64_MiB) {
  std::string bomb;
  for (int i = 0; i < 3; ++i) bomb += gzip(std::string(40 << 20, '\0'));
  std::uint64_t bytes = 0;
  const auto child = penstock::test::in_child([&] {
    MemorySource body{as_bytes(bomb)};
    Unpacker unpacker{body, {.url = "https://h/x.gz"}};
    std::vector<std::byte> some(64 * 1024);
    const auto error = error_from([&] {
      while (unpacker.next())
        while (const std::size_t got = unpacker.content().read(some)) bytes += got;
    });
    return error && error->facts().code == penstock::code::kTooLarge && bytes <= 65_MiB ? 0 : 1;
  });
  EXPECT_EQ(child.code, 0);
  EXPECT_LE(child.peak_growth_bytes, 64_MiB);
}

// An archive within an archive is a member: a zip of zips of zips, or one that holds itself, ends there.
TEST_F(Hostile, archives_within_archives_are_opened_once) {
  std::string bomb = std::string(1'000'000, '\0');
  for (int depth = 0; depth < 6; ++depth) {
    std::vector<ZipMember> members;
    for (int i = 0; i < 16; ++i) members.push_back({.name = fmt::format("{}.zip", i), .body = bomb});
    bomb = zip(members);
  }
  FolderBundles storage{outer / "in"};
  UnzipBundles unzip{storage, {.limits = kLimits}};
  BundleRef ref = reference("test-nested");
  const auto bundle = unzip.start(ref, {});
  EXPECT_FALSE(add(*bundle, "https://h/bomb.zip", bomb));
  const std::string quine = penstock::test::zip_of_itself();
  EXPECT_FALSE(add(*bundle, "https://h/quine.zip", quine));
  EXPECT_EQ(bundle->finish({}).resources_stored, 17U);
  EXPECT_EQ(read_file(outer / "in/bundle_test-nested/quine.zip_a"), quine);
}

}  // namespace
}  // namespace penstock::bundles::test
