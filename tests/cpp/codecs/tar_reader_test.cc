#include "penstock/codecs/tar_reader.h"

#include <vector>

#include <gtest/gtest.h>

#include "penstock/streams/memory.h"

#include "support/archive_stages.h"
#include "support/errors.h"
#include "support/tar.h"

namespace penstock::codecs {
namespace {

using test::error_of;
using test::read_all;
using test::StageTest;

using test::packed;
using test::padded;
using test::pax;
using test::tar;
using test::with_sum;
using Member = test::TarMember;

const std::string kEnd(1024, '\0');

// In two files, an empty one and a folder.
std::string in_two_files(const std::string& content) {
  const std::size_t half = content.size() / 2;
  return tar({{.name = "a", .body = content.substr(0, half)},
              {.name = "d/", .type = '5'},
              {.name = "d/empty"},
              {.name = "d/b", .body = content.substr(half)}});
}

INSTANTIATE_TEST_SUITE_P(Tar, StageTest,
                         ::testing::Values(test::StageCase{.name = "TarReader",
                                                           .make = test::archive_stage<TarReader>,
                                                           .expected = test::untar_prefix,
                                                           .twice = code::kTrailing,
                                                           .packed = in_two_files,
                                                           .rewindable = false}),
                         [](const auto& stage) { return stage.param.name; });

// "name=body name>link name/" of each entry.
std::string listed(const std::string& archive, Limits limits = {}, std::size_t step = 512) {
  MemorySource whole{as_bytes(archive)};
  SlowSource slow{whole, step};
  TarReader reader{slow, limits};
  std::string all;
  while (const Entry* entry = reader.next()) {
    all += (all.empty() ? "" : " ") + entry->name;
    if (entry->type == Entry::Type::file) all += "=" + read_all(reader.content(), 100);
    if (entry->type == Entry::Type::link) all += ">" + entry->link_to;
    if (entry->type == Entry::Type::folder) all += "/";
    if (entry->type == Entry::Type::other) all += "?";
  }
  EXPECT_EQ(reader.next(), nullptr) << "an end is no longer one when asked again";
  return all;
}

Error error_from(const std::string& archive, Limits limits = {}) {
  return error_of([&] { listed(archive, limits); });
}

TEST(TarReader, files_folders_links_and_devices_come_in_order) {
  const std::string archive = tar({{.name = "a", .body = "one"},
                                   {.name = "d/", .type = '5'},
                                   {.name = "d/b", .body = std::string(600, 'b')},
                                   {.name = "l", .type = '2', .link_to = "../../etc/passwd"},
                                   {.name = "tty", .type = '3'},
                                   {.name = "empty"}});
  const std::string expected = "a=one d/ d/b=" + std::string(600, 'b') + " l>../../etc/passwd tty? empty=";
  for (const std::size_t step : {std::size_t{1}, std::size_t{511}, std::size_t{512}, archive.size()})
    EXPECT_EQ(listed(archive, {}, step), expected) << step;
}

TEST(TarReader, what_is_not_read_of_an_entry_is_skipped) {
  const std::string archive =
      tar({{.name = "a", .body = std::string(100'000, 'a')}, {.name = "b", .body = "two"}});
  MemorySource source{as_bytes(archive)};
  TarReader reader{source};
  ASSERT_NE(reader.next(), nullptr);
  EXPECT_EQ(reader.content().remaining(), 100'000U);
  std::byte some[10];
  reader.content().read(some);
  ASSERT_NE(reader.next(), nullptr);
  EXPECT_EQ(read_all(reader.content()), "two");
}

TEST(TarReader, long_names_are_those_of_posix_gnu_and_pax) {
  const std::string part(90, 'n'), name = std::string(120, 'm');
  EXPECT_EQ(listed(tar({{.name = part, .prefix = "p/q"}})), "p/q/" + part + "=");
  EXPECT_EQ(listed(tar({{.name = "././@LongLink", .body = name + '\0', .type = 'L'}, {.name = "short"}})),
            name + "=");
  EXPECT_EQ(listed(tar({{.name = "h", .body = pax("path", name), .type = 'x'}, {.name = "short"}})),
            name + "=");
  EXPECT_EQ(
      listed(tar({{.name = "h", .body = pax("path", name), .type = 'x'}, {.name = "one"}, {.name = "two"}})),
      name + "= two=")
      << "of the next entry only";
  EXPECT_EQ(listed(tar({{.name = "k", .body = name + '\0', .type = 'K'}, {.name = "l", .type = '2'}})),
            "l>" + name);
  const std::string gnu = "ustar  ";
  EXPECT_EQ(listed(tar({{.name = "g", .magic = gnu, .prefix = "12345670"}})), "g=") << "GNU has times there";
}

TEST(TarReader, a_global_pax_header_holds_for_all_that_follow_unless_they_say_otherwise) {
  EXPECT_EQ(listed(tar({{.name = "g", .body = pax("linkpath", "all"), .type = 'g'},
                        {.name = "a", .type = '2'},
                        {.name = "x", .body = pax("linkpath", "own"), .type = 'x'},
                        {.name = "b", .type = '2'},
                        {.name = "c", .type = '2'}})),
            "a>all b>own c>all");
}

TEST(TarReader, a_size_may_be_octal_binary_or_said_by_pax) {
  const std::string binary = std::string{"\x80"} + std::string(10, '\0') + '\x03';
  EXPECT_EQ(listed(tar({{.name = "a", .body = "abc", .size = binary}})), "a=abc");
  EXPECT_EQ(listed(tar({{.name = "a", .body = "abc", .size = "         3 "}})), "a=abc");
  EXPECT_EQ(listed(tar({{.name = "x", .body = pax("size", "3"), .type = 'x'},
                        {.name = "a", .body = "abc", .size = "00000000000"}})),
            "a=abc");
  for (const std::string& bad : {std::string{"0000000003x"}, std::string(12, '\xff'), std::string{"9"}})
    EXPECT_EQ(error_from(tar({{.name = "a", .body = "abc", .size = bad}})).kind(), Kind::corrupt);
}

TEST(TarReader, a_folder_of_before_posix_has_no_content_whatever_size_it_says) {
  const std::string folder = packed({.name = "d/", .type = '\0', .size = "00000000005"});
  EXPECT_EQ(listed(folder + tar({{.name = "a", .body = "one"}})), "d/ a=one");
}

TEST(TarReader, what_is_of_no_known_type_is_skipped_with_its_content) {
  EXPECT_EQ(
      listed(tar({{.name = "v", .body = std::string(700, 'v'), .type = 'V'}, {.name = "a", .body = "one"}})),
      "v? a=one");
}

TEST(TarReader, a_tar_of_a_global_header_alone_is_empty) {
  EXPECT_EQ(listed(tar({{.name = "g", .body = pax("comment", "commit"), .type = 'g'}})), "");
  EXPECT_EQ(error_from(tar({{.name = "x", .body = pax("comment", "none"), .type = 'x'}})).kind(),
            Kind::corrupt);
}

TEST(TarReader, a_failure_stays_one_however_often_asked) {
  const std::string archive = tar({{.name = "../x", .body = std::string(2048, '\0')}, {.name = "a"}});
  MemorySource source{as_bytes(archive)};
  TarReader reader{source};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(error_of([&] { reader.next(); }).facts().code, code::kUnsafeName);
}

TEST(TarReader, a_tar_cut_at_any_byte_is_truncated) {
  const std::string archive = tar({{.name = "a", .body = "one"}, {.name = "b", .body = "two"}});
  for (std::size_t cut = 0; cut < archive.size() - kEnd.size() + 512; ++cut)
    EXPECT_EQ(error_from(archive.substr(0, cut)).facts().code, code::kTruncated) << cut;
}

TEST(TarReader, only_zeros_may_follow_its_end) {
  const std::string archive = tar({{.name = "a", .body = "one"}});
  EXPECT_EQ(listed(archive + std::string(9'000, '\0')), "a=one");
  EXPECT_EQ(error_from(archive + "x").facts().code, code::kTrailing);
  EXPECT_EQ(error_from(archive + archive).facts().code, code::kTrailing);
}

TEST(TarReader, a_flipped_bit_of_a_header_is_corrupt) {
  const std::string archive = tar({{.name = "a", .body = "one"}});
  for (std::size_t bit = 0; bit < 512 * 8; ++bit) {
    std::string bad = archive;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const bool around_sum =
        bit / 8 == 148 || bit / 8 == 154 || bit / 8 == 155;  // a space is as good as what is there
    if (around_sum) continue;
    EXPECT_EQ(error_from(bad).kind(), Kind::corrupt) << bit;
  }
}

TEST(TarReader, names_that_lead_out_of_a_folder_are_refused) {
  for (const char* name : {"/etc/passwd", "../x", "a/../../x", "a/..", "..", "C:x", "c:/x", "a\\b"})
    EXPECT_EQ(error_from(tar({{.name = name}})).facts().code, code::kUnsafeName) << name;
  EXPECT_EQ(error_from(tar({{.name = ""}})).facts().code, code::kUnsafeName);
  const std::string nul{"a\0b", 3};
  EXPECT_EQ(
      error_from(tar({{.name = "x", .body = pax("path", nul), .type = 'x'}, {.name = "a"}})).facts().code,
      code::kUnsafeName);
  EXPECT_EQ(listed(tar({{.name = "..."}, {.name = "a..b"}, {.name = "./c"}})), "...= a..b= ./c=");
}

TEST(TarReader, a_name_that_is_no_utf8_is_latin1) {
  EXPECT_EQ(listed(tar({{.name = "caf\xe9"}, {.name = "caf\xc3\xa9"}})), "caf\xc3\xa9= caf\xc3\xa9=");
}

TEST(TarReader, a_time_of_pax_beyond_the_clock_leaves_the_headers_own) {
  for (const char* time : {"29451200000", "-9300000000", "1e300", "nan", "soon"}) {
    const std::string archive = tar({{.name = "x", .body = pax("mtime", time), .type = 'x'}, {.name = "a"}});
    MemorySource source{as_bytes(archive)};
    TarReader reader{source};
    const Entry* entry = reader.next();
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->modified->time_since_epoch(), std::chrono::seconds{014000000000}) << time;
  }
}

TEST(TarReader, sparse_files_are_refused) {
  EXPECT_EQ(error_from(tar({{.name = "s", .type = 'S'}})).facts().code, code::kUnsupported);
  EXPECT_EQ(error_from(tar({{.name = "x", .body = pax("GNU.sparse.major", "1"), .type = 'x'}, {.name = "s"}}))
                .facts()
                .code,
            code::kUnsupported);
}

TEST(TarReader, limits_are_refused_before_the_bytes) {
  const auto two = tar({{.name = "a", .body = "123"}, {.name = "b", .body = "45"}});
  EXPECT_EQ(listed(two, {.total_bytes = 5, .entry_bytes = 3, .entries = 2, .name_bytes = 1}), "a=123 b=45");
  for (const Limits& limits : {Limits{.total_bytes = 4}, Limits{.entry_bytes = 2}, Limits{.entries = 1}})
    EXPECT_EQ(error_from(two, limits).facts().code, penstock::code::kTooLarge);
  EXPECT_EQ(error_from(tar({{.name = "ab"}}), {.name_bytes = 1}).facts().code, penstock::code::kTooLarge);
  EXPECT_EQ(error_from(tar({{.name = "a", .size = "77777777777"}}), {.entry_bytes = 1}).kind(),
            Kind::refused);
  const Member mill{.name = "x", .body = pax("comment", "no"), .type = 'x'};
  EXPECT_EQ(error_from(tar(std::vector<Member>(20, mill))).kind(), Kind::corrupt);
  EXPECT_EQ(error_from(tar({{.name = "x", .body = std::string(70'000, 'x'), .type = 'L'}})).facts().code,
            penstock::code::kTooLarge);
}

TEST(TarReader, a_pax_header_that_is_none_is_corrupt) {
  for (const char* records :
       {"x", "99 path=a\n", "0 path=a\n", "9 path=a", "10 pathxxa\n", "-9 path=a\n", " path=a\n"})
    EXPECT_EQ(error_from(tar({{.name = "x", .body = records, .type = 'x'}, {.name = "a"}})).kind(),
              Kind::corrupt)
        << records;
}

TEST(TarReader, a_header_is_told_from_anything_else_by_its_magic_and_sum) {
  const std::string block = packed({.name = "a"});
  EXPECT_TRUE(is_tar_header(as_bytes(block)));
  EXPECT_FALSE(is_tar_header(as_bytes(block).first(511)));
  std::string wrong = block;
  wrong[0] = 'b';
  EXPECT_FALSE(is_tar_header(as_bytes(wrong)));
  EXPECT_FALSE(is_tar_header(as_bytes(packed({.name = "a", .magic = std::string(8, '\0')}))));
}

}  // namespace
}  // namespace penstock::codecs
