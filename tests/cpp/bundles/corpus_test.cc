// libarchive's own samples, broken and hostile ones among them, as scripts/corpus fetches them: none of it is
// kept in this tree, so this runs where PENSTOCK_TEST_CORPUS names the folder.
#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/unzip_bundles.h"
#include "penstock/streams/memory.h"

#include "bundles/storages.h"
#include "support/child.h"
#include "support/errors.h"
#include "support/libarchive.h"

namespace penstock::bundles::test {
namespace {

using penstock::test::read_file;
using penstock::test::write_file;

constexpr codecs::Limits kLimits{.total_bytes = 64 << 20, .spool_bytes = 64 << 20};

std::string uudecoded(const std::string& path) {
  std::ifstream lines{path};
  std::string line, bytes;
  while (std::getline(lines, line) && !line.starts_with("begin ")) continue;
  while (std::getline(lines, line) && line != "end" && !line.empty()) {
    const auto six = [&](std::size_t at) -> unsigned {
      return at < line.size() ? (static_cast<unsigned char>(line[at]) - 32U) & 63 : 0;
    };
    std::string row;
    for (std::size_t at = 1; row.size() < six(0); at += 4) {
      const unsigned word = six(at) << 18 | six(at + 1) << 12 | six(at + 2) << 6 | six(at + 3);
      for (const int shift : {16, 8, 0}) row += static_cast<char>(word >> shift & 0xff);
    }
    bytes += row.substr(0, six(0));
  }
  return bytes;
}

enum Verdict { kStored, kRefused, kCorrupt, kOther };
constexpr const char* kVerdicts[] = {"stored", "refused", "corrupt", "failed otherwise"};

class Corpus : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::getenv("PENSTOCK_TEST_CORPUS"))
      GTEST_SKIP() << "scripts/corpus fetches the samples and runs this";
  }
  int unpack(const std::string& name, const std::string& bytes) {
    FolderBundles storage{outer / "in"};
    UnzipBundles unzip{storage, {.limits = kLimits}};
    BundleRef ref = reference("custom-sample");
    const auto bundle = unzip.start(ref, {});
    MemorySource body{as_bytes(bytes)};
    const auto error = penstock::test::error_from([&] { bundle->add({.url = "https://h/" + name}, body); });
    bundle->finish(Json::object());
    if (!error) return kStored;
    return error->kind() == Kind::refused ? kRefused : error->kind() == Kind::corrupt ? kCorrupt : kOther;
  }
  std::vector<std::string> outside() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(outer.path())) names.push_back(entry.path().filename());
    for (const auto& entry : fs::directory_iterator(outer / "in"))
      if (entry.path().filename() != ".penstock") names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  // Of the members of an archive, in its order; nullopt if it was none, or has links: for those bsdtar gives
  // zeros.
  std::optional<std::string> stored() const {
    const fs::path bundle = outer / "in/bundle_custom-sample";
    std::ifstream lines{bundle / "bundle.manifest.meta"};
    std::string all;
    bool archive = false;
    for (std::string text; std::getline(lines, text);) {
      const Json line = Json::parse(text);
      if (line.contains("skipped")) return std::nullopt;
      archive |= line.contains("derived_from") && line["derived_from"]["codec"] != "gzip";
      if (line.contains("sha256")) all += read_file(bundle / line["name"].get<std::string>());
    }
    return archive ? std::optional{all} : std::nullopt;
  }
  void judge(const std::string& name, const std::string& bytes) {
    for (const auto& entry : fs::directory_iterator(outer.path())) fs::remove_all(entry);
    const auto child = penstock::test::in_child([&] { return unpack(name, bytes); }, 20);
    ASSERT_TRUE(child.in_time) << name << " hangs";
    ASSERT_GE(child.code, 0) << name << " crashes";
    std::printf("%-9s %s\n", kVerdicts[child.code], name.c_str());
    ++verdicts[child.code];
    EXPECT_NE(child.code, kOther) << name;
    EXPECT_LE(child.peak_growth_bytes, 64_MiB) << name;
    EXPECT_EQ(outside(), (std::vector<std::string>{"bundle_custom-sample", "in"})) << name;
    const auto members = stored();
    if (!members) return;
    EXPECT_LE(members->size(), kLimits.total_bytes) << name;
    if (child.code != kStored) {
      EXPECT_EQ(members->size(), 0U) << name << " was refused in part only";
      return;
    }
    write_file(outer / "sample", bytes);
    const auto theirs = penstock::test::read_by_libarchive(outer / "sample");
    agreed += theirs == members;
    if (theirs) {
      EXPECT_TRUE(theirs == members) << name << " is read otherwise by libarchive";
    }
  }

  TemporaryFolder outer;
  std::array<int, 4> verdicts{};
  int agreed = 0;
};

TEST_F(Corpus, of_libarchive_does_no_harm_and_is_read_as_libarchive_does) {
  for (const auto& entry : fs::recursive_directory_iterator(std::getenv("PENSTOCK_TEST_CORPUS"))) {
    if (entry.path().extension() != ".uu") continue;
    ASSERT_NO_FATAL_FAILURE(judge(entry.path().stem().string(), uudecoded(entry.path())));
  }
  std::printf("%d stored, %d refused, %d corrupt; %d archives as libarchive reads them\n", verdicts[kStored],
              verdicts[kRefused], verdicts[kCorrupt], agreed);
  EXPECT_GT(verdicts[kStored] + verdicts[kRefused] + verdicts[kCorrupt], 300) << "these are not the samples";
  EXPECT_GT(agreed, 20);
}

}  // namespace
}  // namespace penstock::bundles::test
