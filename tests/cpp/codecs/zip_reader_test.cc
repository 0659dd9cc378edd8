#include "penstock/codecs/zip_reader.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "penstock/streams/memory.h"

#include "support/archive_stages.h"
#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/zip.h"

namespace penstock::codecs {
namespace {

using test::Descriptor;
using test::error_of;
using test::read_all;
using test::StageTest;
using test::zip;
using test::ZipMember;

// "name=body name/" of each entry.
std::string listed(const std::string& archive, Limits limits = {}, std::size_t step = 512) {
  MemorySource whole{as_bytes(archive)};
  SlowSource slow{whole, step};
  ZipReader reader{slow, limits};
  std::string all;
  while (const Entry* entry = reader.next()) {
    const bool folder = entry->type == Entry::Type::folder;
    all += fmt::format("{}{}{}{}", all.empty() ? "" : " ", entry->name, folder ? "/" : "=",
                       read_all(reader.content()));
  }
  EXPECT_EQ(reader.next(), nullptr);
  return all;
}

Error error_from(const std::string& archive, Limits limits = {}) {
  return error_of([&] { listed(archive, limits); });
}

std::vector<std::uint64_t> special_of(const std::string& archive) {
  MemorySource source{as_bytes(archive)};
  ZipReader reader{source};
  while (reader.next()) {
  }
  return reader.special();
}

// In three members and a folder: the first and the last as `like` says.
std::string in_three_members(const std::string& content, const ZipMember& like) {
  const std::size_t third = content.size() / 3;
  ZipMember first = like, last = like;
  first.name = "a", last.name = "c";
  first.body = content.substr(0, third), last.body = content.substr(2 * third);
  return zip({first,
              {.name = "d/", .deflated = false},
              {.name = "d/b", .body = content.substr(third, third), .deflated = false},
              {.name = "empty"},
              last});
}

test::StageCase zip_case(const std::string& name, const ZipMember& like) {
  return {.name = name,
          .make = test::archive_stage<ZipReader>,
          .expected = test::unzip_prefix,
          .twice = code::kTrailing,
          .packed = [like](const std::string& content) { return in_three_members(content, like); },
          .rewindable = false};
}

test::StageCase runs() {
  test::StageCase stage = zip_case("ZipReaderOfRuns", {});
  stage.output = std::string(500, 'x') + std::string(500, 'y') + std::string(500, 'z');
  return stage;
}

// Of a stored member whose length stands behind it nothing can be given before the directory was read.
test::StageCase spooled() {
  test::StageCase stage = zip_case("ZipReaderSpooled", {.deflated = false, .descriptor = Descriptor::wide});
  stage.held = [](const std::string&) { return std::string{}; };
  return stage;
}

INSTANTIATE_TEST_SUITE_P(Zip, StageTest,
                         ::testing::Values(zip_case("ZipReader", {}),
                                           zip_case("ZipReaderSizesBehind",
                                                    {.descriptor = Descriptor::signed_}),
                                           runs(), spooled()),
                         [](const auto& stage) { return stage.param.name; });

const std::string kText = "the quick brown fox jumps over the lazy dog, and back over the quick brown fox";

TEST(ZipReader, members_come_with_their_bytes_however_the_source_cuts_them) {
  const std::string archive = zip({{.name = "a", .body = "one"},
                                   {.name = "d/", .deflated = false},
                                   {.name = "d/b", .body = kText},
                                   {.name = "c", .body = "three", .deflated = false},
                                   {.name = "empty"}});
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, archive.size()})
    EXPECT_EQ(listed(archive, {}, step), "a=one d/ d/b=" + kText + " c=three empty=") << step;
}

TEST(ZipReader, an_archive_without_members_has_none) {
  EXPECT_EQ(listed(zip({})), "");
  EXPECT_EQ(listed(zip({}, "a comment")), "");
  EXPECT_EQ(listed(zip({}, "", true)), "");
}

TEST(ZipReader, sizes_behind_a_member_are_read_in_each_of_their_forms) {
  for (const auto form :
       {Descriptor::plain, Descriptor::signed_, Descriptor::wide, Descriptor::signed_wide}) {
    const auto archive = zip({{.name = "a", .body = kText, .descriptor = form},
                              {.name = "b", .descriptor = form, .wide = true},
                              {.name = "c", .body = "one"}});
    EXPECT_EQ(listed(archive, {}, 5), "a=" + kText + " b= c=one") << static_cast<int>(form);
  }
}

TEST(ZipReader, zip64_fields_are_read) {
  EXPECT_EQ(listed(zip({{.name = "a", .body = kText, .wide = true}}, "", true)), "a=" + kText);
  EXPECT_EQ(error_from(zip({{.name = "a", .body = "x", .bytes = 0xffffffff}})).kind(), Kind::corrupt);
}

TEST(ZipReader, an_entry_says_its_size_if_the_header_does) {
  const auto archive =
      zip({{.name = "a", .body = "four"}, {.name = "b", .body = "x", .descriptor = Descriptor::plain}});
  MemorySource source{as_bytes(archive)};
  ZipReader reader{source};
  EXPECT_EQ(reader.next()->bytes, 4u);
  EXPECT_EQ(reader.content().remaining(), 4u);
  EXPECT_EQ(reader.next()->bytes, std::nullopt);
  EXPECT_EQ(reader.content().remaining(), std::nullopt);
}

TEST(ZipReader, what_is_left_of_an_entry_is_read_over_and_still_judged) {
  EXPECT_EQ(
      special_of(zip({{.name = "a", .body = test::random_bytes(100'000)}, {.name = "b", .body = kText}}))
          .size(),
      0u);
  const auto archive = zip({{.name = "a", .body = kText, .crc32 = 1}, {.name = "b"}});
  MemorySource source{as_bytes(archive)};
  ZipReader reader{source};
  reader.next();
  EXPECT_EQ(error_of([&] { reader.next(); }).kind(), Kind::corrupt);
  EXPECT_EQ(error_of([&] { reader.next(); }).kind(), Kind::corrupt);  // and stays so
}

TEST(ZipReader, a_stored_member_of_unknown_length_is_found_in_the_directory) {
  // What lies in it looks like its end, and like another member.
  const std::string inner =
      zip({{.name = "x", .body = "inner", .deflated = false, .descriptor = Descriptor::signed_}});
  const auto archive =
      zip({{.name = "first", .body = kText},
           {.name = "a", .body = inner, .deflated = false, .descriptor = Descriptor::signed_},
           {.name = "b", .body = kText, .descriptor = Descriptor::plain},
           {.name = "c", .body = "x", .deflated = false, .descriptor = Descriptor::wide}},
          "a comment");
  for (const std::size_t step : {std::size_t{3}, archive.size()})
    EXPECT_EQ(listed(archive, {}, step), "first=" + kText + " a=" + inner + " b=" + kText + " c=x");
  EXPECT_EQ(listed(zip({{.name = "a", .body = inner, .deflated = false, .descriptor = Descriptor::wide}}, "",
                       true)),
            "a=" + inner);
  EXPECT_EQ(error_from(archive, {.spool_bytes = 100}).facts().code, penstock::code::kTooLarge);
}

TEST(ZipReader, an_archive_cut_at_any_byte_is_truncated) {
  for (const bool stored : {false, true}) {
    const auto archive =
        zip({{.name = "a", .body = kText, .deflated = !stored, .descriptor = Descriptor::signed_},
             {.name = "b", .body = "two", .deflated = !stored}},
            "a comment");
    for (std::size_t cut = 0; cut < archive.size(); ++cut)
      EXPECT_EQ(error_from(archive.substr(0, cut)).facts().code, code::kTruncated) << stored << cut;
  }
}

TEST(ZipReader, what_comes_before_the_damage_is_given_however_the_source_is_cut) {
  std::string archive = zip({{.name = "a", .body = test::random_bytes(3000) + std::string(3000, 'x')}}),
              whole;
  archive.replace(3000, 8, 8, '\x55');
  for (const std::size_t step : {archive.size(), std::size_t{1}, std::size_t{7}}) {
    MemorySource source{as_bytes(archive)};
    SlowSource slow{source, step};
    ZipReader reader{slow};
    reader.next();
    std::string got, some(10'000, '\0');
    const Error error = error_of([&] {
      while (const auto count = reader.content().read(std::as_writable_bytes(std::span{some})))
        got.append(some, 0, count);
      reader.next();
    });
    EXPECT_EQ(error.kind(), Kind::corrupt);
    if (whole.empty()) whole = got;
    EXPECT_EQ(got, whole) << step;
    EXPECT_GE(got.size(), 2900u) << step;
  }
}

TEST(ZipReader, every_flipped_bit_is_an_error_or_changes_no_content) {
  const auto archive =
      zip({{.name = "a", .body = kText}, {.name = "b", .body = "two", .descriptor = Descriptor::signed_}});
  const std::string whole = listed(archive);
  std::size_t errors = 0;
  for (std::size_t bit = 0; bit < archive.size() * 8; ++bit) {
    std::string bad = archive;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    try {
      EXPECT_EQ(listed(bad), whole) << bit;
    } catch (const Error& error) {
      EXPECT_TRUE(error.kind() == Kind::corrupt || error.kind() == Kind::refused) << bit;
      ++errors;
    }
  }
  EXPECT_GT(errors, archive.size() * 4);  // the rest: versions, times, attributes
}

TEST(ZipReader, headers_that_contradict_each_other_are_corrupt) {
  const ZipMember good{.name = "a", .body = kText};
  const auto bad = [&](auto change) {
    ZipMember member = good;
    change(member);
    EXPECT_EQ(error_from(zip({member, {.name = "z"}})).kind(), Kind::corrupt);
  };
  bad([](ZipMember& m) { m.listed_as = "b"; });
  bad([](ZipMember& m) { m.listed = 0; });
  bad([](ZipMember& m) { m.listed = 2; });
  bad([](ZipMember& m) { m.crc32 = 7; });
  bad([](ZipMember& m) { m.bytes = 7; });
  bad([](ZipMember& m) { m.deflated = false, m.bytes = 7; });
  bad([](ZipMember& m) { m.method = 0; });
  bad([](ZipMember& m) { m.name = "a/"; });  // a folder with content
  bad([](ZipMember& m) { m.extra = "xx\xff\xff"; });
  for (const auto form : {Descriptor::plain, Descriptor::signed_, Descriptor::wide, Descriptor::signed_wide})
    bad([form](ZipMember& m) { m.descriptor = form, m.crc32 = 7; });
  EXPECT_EQ(error_from(zip({good, good})).kind(), Kind::corrupt);
  const auto hidden = zip({good});
  EXPECT_EQ(error_from(hidden.substr(0, hidden.find("PK\1\2")) + zip({good})).kind(), Kind::corrupt);
  EXPECT_EQ(error_from("x" + hidden).kind(), Kind::corrupt);
}

TEST(ZipReader, every_byte_of_the_end_records_but_their_versions_is_judged) {
  for (const bool wide : {false, true}) {
    const auto archive = zip({{.name = "a", .body = "one"}}, "", wide);
    const std::size_t begin = archive.find(wide ? "PK\6\6" : "PK\5\6");
    for (std::size_t at = begin; at < archive.size(); ++at) {
      if (wide && at >= begin + 12 && at < begin + 16) continue;
      std::string bad = archive;
      bad[at] = static_cast<char>(bad[at] + 1);
      const Error error = error_from(bad);
      EXPECT_TRUE(error.kind() == Kind::corrupt || error.kind() == Kind::refused) << at - begin;
    }
  }
}

TEST(ZipReader, only_zeros_may_follow_its_end) {
  const auto archive = zip({{.name = "a", .body = "one"}});
  EXPECT_EQ(listed(archive + std::string(64 * 1024, '\0')), "a=one");
  EXPECT_EQ(error_from(archive + std::string(64 * 1024 + 1, '\0')).facts().code, code::kTrailing);
  const auto spooled =
      zip({{.name = "a", .body = "one", .deflated = false, .descriptor = Descriptor::plain}}, "c");
  EXPECT_EQ(listed(spooled + std::string(64 * 1024, '\0')), "a=one");
  EXPECT_EQ(error_from(archive + "x").facts().code, code::kTrailing);
  EXPECT_EQ(error_from(archive + archive).facts().code, code::kTrailing);
}

// Who comes from the end would see another archive.
TEST(ZipReader, another_archive_in_a_comment_or_behind_a_locator_is_corrupt) {
  const auto good = zip({{.name = "good", .body = "one"}}), evil = zip({{.name = "evil", .body = "two"}});
  std::string in_comment = good + evil;
  in_comment.replace(good.size() - 2, 2, test::le16(evil.size()));
  EXPECT_EQ(error_from(in_comment).kind(), Kind::corrupt);
  EXPECT_EQ(
      error_from(zip({{.name = "a", .body = "x", .deflated = false, .descriptor = Descriptor::plain}}, evil))
          .kind(),
      Kind::corrupt);
  const std::string locator = "PK\6\7" + test::le32(0) + test::le64(0) + test::le32(1);
  const std::size_t end = good.find("PK\5\6"), entry = good.find("PK\1\2");
  std::string behind = good;
  behind.insert(end, locator);
  behind.replace(entry + 32, 2, test::le16(locator.size()));  // it is the entry's comment
  const std::size_t moved = end + locator.size();
  behind.replace(moved + 12, 4, test::le32(moved - entry));
  EXPECT_EQ(error_from(behind).kind(), Kind::corrupt);
}

TEST(ZipReader, names_that_are_one_file_are_duplicates_and_a_dot_is_none) {
  for (const char* other : {"a/b/", "a//b", "a/./b", "./a/b"})
    EXPECT_EQ(error_from(zip({{.name = "a/b"}, {.name = other}})).kind(), Kind::corrupt) << other;
  for (const char* name : {".", "a/."})
    EXPECT_EQ(error_from(zip({{.name = name}})).facts().code, code::kUnsafeName);
  EXPECT_EQ(listed(zip({{.name = "./"}, {.name = "./a"}})), "./ ./a=");
}

TEST(ZipReader, the_unicode_path_of_info_zip_is_the_name_in_both_headers) {
  const auto field = [](const std::string& name, const std::string& path) {
    Hasher crc{Algorithm::crc32};
    crc.update(as_bytes(name));
    return test::le16(0x7075) + test::le16(path.size() + 5) + "\1" + test::le32(codecs::zip::crc32_of(crc)) +
           path;
  };
  EXPECT_EQ(error_from(zip({{.name = "good", .extra = field("good", "evil")}})).kind(), Kind::corrupt);
  EXPECT_EQ(listed(zip({{.name = "good", .extra = field("other", "evil")}})), "good=");  // not of this name
}

TEST(ZipReader, content_longer_than_is_said_is_never_given) {
  const auto archive = zip({{.name = "a", .body = std::string(1000, 'x'), .bytes = 4}});
  MemorySource source{as_bytes(archive)};
  ZipReader reader{source};
  EXPECT_EQ(reader.next()->bytes, 4u);
  std::byte some[999];
  EXPECT_EQ(error_of([&] { reader.content().read(some); }).kind(), Kind::corrupt);
}

TEST(ZipReader, a_directory_of_many_entries_at_one_place_is_over_the_limit) {
  const auto archive =
      zip({{.name = "a", .body = "x", .deflated = false, .descriptor = Descriptor::plain, .listed = 50}});
  EXPECT_EQ(error_from(archive, {.entries = 49}).facts().code, penstock::code::kTooLarge);
}

TEST(ZipReader, what_is_special_is_not_known_before_the_end) {
  const auto archive = zip({{.name = "a"}});
  MemorySource source{as_bytes(archive)};
  ZipReader reader{source};
  EXPECT_THROW(reader.special(), std::logic_error);
  reader.next();
  EXPECT_THROW(reader.special(), std::logic_error);
}

TEST(ZipReader, what_is_not_read_is_refused) {
  for (const std::uint16_t flags : {1, 1 << 5, 1 << 6, 1 << 13})
    EXPECT_EQ(error_from(zip({{.name = "a", .body = "one", .flags = flags}})).facts().code,
              code::kUnsupported);
  for (const std::uint16_t method : {1, 9, 12, 14, 93, 99})
    EXPECT_EQ(error_from(zip({{.name = "a", .body = "one", .method = method}})).facts().code,
              code::kUnsupported);
}

TEST(ZipReader, names_that_lead_out_of_a_folder_are_refused) {
  const std::string nul{"a\0b", 3};
  for (const std::string& name :
       {std::string{"/etc/passwd"}, std::string{"../x"}, std::string{"a/../../x"}, std::string{"C:x"},
        std::string{"a\\b"}, std::string{}, std::string{"../"}, nul})
    EXPECT_EQ(error_from(zip({{.name = name}})).facts().code, code::kUnsafeName) << name;
}

TEST(ZipReader, a_name_that_is_no_utf8_is_of_code_page_437) {
  EXPECT_EQ(listed(zip({{.name = "caf\x82"}, {.name = "caf\xc3\xa9.txt"}, {.name = "\xe1\xff"}})),
            "caf\xc3\xa9= caf\xc3\xa9.txt= \xc3\x9f\xc2\xa0=");
  EXPECT_EQ(error_from(zip({{.name = "caf\x82", .flags = 1 << 11}})).kind(), Kind::corrupt);
}

TEST(ZipReader, the_directory_alone_says_what_is_a_link_or_a_device) {
  const auto archive = zip({{.name = "a", .body = "one"},
                            {.name = "l", .body = "/etc/passwd", .attributes = 0120777u << 16},
                            {.name = "d", .attributes = 0020666u << 16},
                            {.name = "f/", .attributes = 040755u << 16}});
  EXPECT_EQ(listed(archive), "a=one l=/etc/passwd d= f/");
  EXPECT_EQ(special_of(archive), (std::vector<std::uint64_t>{1, 2}));
}

// No checksum covers what the directory says of it: one flipped bit makes a file a link.
TEST(ZipReader, a_link_that_leads_nowhere_and_a_device_with_content_are_corrupt) {
  const auto kind_of = [](const std::string& body, std::uint32_t mode) {
    return error_from(zip({{.name = "a", .body = body, .attributes = mode << 16}, {.name = "z"}})).kind();
  };
  for (const std::string& body :
       {std::string{}, std::string{"two\nlines"}, std::string{"a\0b", 3}, std::string(4097, 'x')})
    EXPECT_EQ(kind_of(body, 0120777), Kind::corrupt) << body;
  for (const std::uint32_t device : {0140644u, 0010644u, 0020644u, 0060644u})
    EXPECT_EQ(kind_of("x", device), Kind::corrupt) << device;
  EXPECT_EQ(special_of(zip({{.name = "a", .body = "x", .attributes = 0110644u << 16}})).size(), 0u);
}

TEST(ZipReader, times_are_those_of_unix_or_else_of_dos) {
  const auto time_of = [](const std::string& archive) {
    MemorySource source{as_bytes(archive)};
    ZipReader reader{source};
    return reader.next()->modified;
  };
  EXPECT_EQ(time_of(zip({{.name = "a"}})), WallTime{std::chrono::sys_days{std::chrono::year{1980} / 1 / 1}});
  const std::string field = test::le16(0x5455) + test::le16(5) + "\1" + test::le32(1'700'000'001);
  EXPECT_EQ(time_of(zip({{.name = "a", .extra = field}})), WallTime{std::chrono::seconds{1'700'000'001}});
  std::string never = zip({{.name = "a"}});
  never.replace(12, 2, test::le16(0));
  EXPECT_EQ(time_of(never), std::nullopt);
}

TEST(ZipReader, limits_are_refused) {
  const auto two =
      zip({{.name = "a", .body = "123"}, {.name = "b", .body = "45", .descriptor = Descriptor::plain}});
  EXPECT_EQ(listed(two, {.total_bytes = 5, .entry_bytes = 3, .entries = 2, .name_bytes = 1}), "a=123 b=45");
  for (const Limits& limits :
       {Limits{.total_bytes = 4}, Limits{.entry_bytes = 2}, Limits{.entries = 1}, Limits{.name_bytes = 0}})
    EXPECT_EQ(error_from(two, limits).facts().code, penstock::code::kTooLarge);
  EXPECT_EQ(
      error_from(zip({{.name = "a", .body = "12", .descriptor = Descriptor::plain}}), {.entry_bytes = 1})
          .kind(),
      Kind::refused);
  const auto bomb = zip({{.name = "a", .body = std::string(3'000'000, '\0')}});
  EXPECT_EQ(error_from(bomb, {.ratio = 250, .ratio_from = 1'000'000}).facts().code,
            penstock::code::kTooLarge);
}

}  // namespace
}  // namespace penstock::codecs
