#include "penstock/bundles/manifest.h"

#include <gtest/gtest.h>

#include "support/full_disk.h"

namespace penstock::bundles {
namespace {

using penstock::test::FullDisk;

std::string line(int number) {
  const Resource resource{.url = "https://h/" + std::to_string(number)};
  return line_of(resource,
                 {.name = "n" + std::to_string(number), .bytes = 7, .sha256 = std::string(64, 'a')});
}

void fill(Manifest& group, int lines) {
  for (int i = 0; i < lines; ++i) group.append_stored(line(i), 7);
}

int names_in(const Manifest& manifest) {
  int count = 0;
  for (StoredNames names{manifest.spool()}; names.next();) ++count;
  return count;
}

TEST(Manifest, that_a_group_does_not_fit_into_is_as_it_was) {
  Manifest manifest, expected, group;
  fill(group, 3000);  // 400 KB
  for (Manifest* each : {&manifest, &expected}) each->append_stored(line(9000), 5);
  const Withdrawn one{{2999, "why"}};
  for (const Withdrawn& withdrawn : {Withdrawn{}, one}) {
    const FullDisk full{128 << 10};
    EXPECT_THROW(manifest.append(group, withdrawn), Error);
    EXPECT_EQ(manifest.totals().stored, 1u);
    EXPECT_EQ(manifest.totals().bytes, 5u);
    EXPECT_EQ(manifest.size(), expected.size());
    EXPECT_EQ(manifest.sha256(), expected.sha256());
    EXPECT_EQ(names_in(manifest), 1);
  }
  for (Manifest* each : {&manifest, &expected}) each->append(group, one);
  EXPECT_EQ(manifest.sha256(), expected.sha256());
  EXPECT_EQ(names_in(manifest), 3000);
  EXPECT_EQ(manifest.totals().bytes, 5 + 2999 * 7u);
}

TEST(Manifest, that_a_containers_members_do_not_fit_into_has_no_line_of_it_either) {
  Manifest manifest, members;
  fill(members, 3000);
  {
    const FullDisk full{128 << 10};
    EXPECT_THROW(manifest.append_container(line(9000), members), Error);
  }
  EXPECT_EQ(manifest.size(), 0u);
  manifest.append_container(line(9000), members);
  EXPECT_EQ(manifest.totals().stored, 3000u);
  EXPECT_EQ(names_in(manifest), 3001);
}

}  // namespace
}  // namespace penstock::bundles
