// libarchive as a judge: what it writes is read, what is written it reads, and of what is accepted it makes
// the same.
#include "support/libarchive.h"

#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "penstock/codecs/tar_reader.h"
#include "penstock/codecs/zip_reader.h"
#include "penstock/codecs/zip_writer.h"
#include "penstock/streams/memory.h"

#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/read_all.h"
#include "support/tar.h"
#include "support/temporary_folder.h"

namespace penstock::codecs {
namespace {

using test::error_from;
using test::pax;
using test::read_all;
using test::tar;

using Files = std::map<std::string, std::string>;

// Names and contents of files, and where links lead.
template <class Reader>
Files read_archive(const std::string& bytes) {
  MemorySource source{as_bytes(bytes)};
  Reader reader{source};
  Files files;
  while (const Entry* entry = reader.next()) {
    const Entry at = *entry;
    if (at.type == Entry::Type::file) files[at.name] = read_all(reader.content());
    if (at.type == Entry::Type::link) files[at.name] = "-> " + at.link_to;
  }
  return files;
}

std::string contents_of(const std::string& bytes) {
  MemorySource source{as_bytes(bytes)};
  TarReader reader{source};
  std::string all;
  while (const Entry* entry = reader.next())
    if (entry->type == Entry::Type::file) all += read_all(reader.content());
  return all;
}

const Files kFiles{{"a", "one"},
                   {"empty", ""},
                   {"d/" + std::string(90, 'n'), test::random_bytes(100'000)},
                   {"d/e/caf\xc3\xa9 \xf0\x9f\x93\xa6", std::string(513, 'x')}};

void put(const test::TemporaryFolder& folder, const Files& files) {
  for (const auto& [name, content] : files) {
    std::filesystem::create_directories(std::filesystem::path{folder / name}.parent_path());
    test::write_file(folder / name, content);
  }
}

TEST(Libarchive, what_it_writes_in_each_form_of_tar_is_read) {
  for (const std::string form : {"ustar", "pax", "gnutar"}) {
    test::TemporaryFolder folder;
    Files files = kFiles;
    if (form != "ustar") files["d/" + std::string(150, 'l')] = "a name that fits no header of POSIX.1-1988";
    put(folder, files);
    std::filesystem::create_symlink("../../nowhere", folder / "d/link");
    files["d/link"] = "-> ../../nowhere";
    const auto made =
        test::run("LC_ALL=C.UTF-8 bsdtar --format " + form + " -cf - -C " + folder.path() + " a d empty");
    ASSERT_TRUE(made.good) << form;
    EXPECT_EQ(read_archive<TarReader>(made.out), files) << form;
  }
}

TEST(Libarchive, what_it_writes_as_a_zip_is_read) {
  test::TemporaryFolder folder;
  put(folder, kFiles);
  for (const std::string option : {"", "--options zip:compression=store "}) {
    const auto made = test::run("LC_ALL=C.UTF-8 bsdtar " + option + "--format zip -cf - -C " + folder.path() +
                                " a d empty");
    ASSERT_TRUE(made.good) << option;
    EXPECT_EQ(read_archive<ZipReader>(made.out), kFiles) << option;
  }
}

TEST(Libarchive, of_every_tar_that_is_accepted_it_reads_the_same) {
  const std::string binary = std::string{"\x80"} + std::string(10, '\0') + '\x03', name(120, 'm');
  const std::vector<std::string> tars{
      tar({{.name = "a", .body = "one"},
           {.name = "d/", .type = '5'},
           {.name = "d/b", .body = std::string(600, 'b')}}),
      tar({{.name = "l", .type = '2', .link_to = "../../etc/passwd"},
           {.name = "tty", .type = '3'},
           {.name = "empty"}}),
      tar({{.name = std::string(90, 'n'), .body = "x", .prefix = "p/q"}}),
      tar({{.name = "././@LongLink", .body = name + '\0', .type = 'L'}, {.name = "short", .body = "y"}}),
      tar({{.name = "h", .body = pax("path", name), .type = 'x'},
           {.name = "one", .body = "1"},
           {.name = "two", .body = "2"}}),
      tar({{.name = "a", .body = "abc", .size = binary}}),
      tar({{.name = "a", .body = "abc", .size = "         3 "}}),
      tar({{.name = "x", .body = pax("size", "3"), .type = 'x'},
           {.name = "a", .body = "abc", .size = "00000000000"}}),
      tar({{.name = "g", .body = pax("comment", "commit"), .type = 'g'}, {.name = "a", .body = "one"}}),
      tar({{.name = "caf\xe9", .body = "latin"}}),
  };
  test::TemporaryFolder folder;
  for (std::size_t number = 0; number < tars.size(); ++number) {
    test::write_file(folder / "tar", tars[number]);
    EXPECT_EQ(test::read_by_libarchive(folder / "tar"), contents_of(tars[number])) << number;
  }
}

TEST(Libarchive, what_it_refuses_of_damaged_tars_is_refused) {
  const std::string whole = tar({{.name = "a", .body = std::string(700, 'a')}, {.name = "b", .body = "two"}});
  test::TemporaryFolder folder;
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += 61) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    for (const std::string& tried : {bad, whole.substr(0, at)}) {
      test::write_file(folder / "tar", tried);
      if (test::read_by_libarchive(folder / "tar")) continue;
      ++refused;
      EXPECT_TRUE(error_from([&] { contents_of(tried); })) << at;
    }
  }
  EXPECT_GT(refused, 20);
}

TEST(Libarchive, a_zip_that_is_written_it_reads) {
  MemorySink sink;
  ZipWriter writer{sink};
  std::string all;
  for (const auto& [name, content] : kFiles) {
    MemorySource source{as_bytes(content)};
    writer.add({.name = name}, source);
    all += content;
  }
  const std::string large = test::random_bytes(ZipWriter::kWholeBytes + 100'000);
  MemorySource source{as_bytes(large)};
  writer.add({.name = "large"}, source);
  writer.finish();
  test::TemporaryFolder folder;
  test::write_file(folder / "zip", sink.visible());
  const auto theirs = test::read_by_libarchive(folder / "zip");
  ASSERT_TRUE(theirs);
  EXPECT_TRUE(*theirs == all + large);
}

}  // namespace
}  // namespace penstock::codecs
