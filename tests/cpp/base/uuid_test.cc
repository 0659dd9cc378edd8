#include "penstock/base/uuid.h"

#include <set>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Uuid, it_is_of_version_4_and_no_two_are_the_same) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = random_uuid();
    ASSERT_EQ(uuid.size(), 36u);
    EXPECT_EQ(uuid.find_first_not_of("0123456789abcdef-"), uuid.npos) << uuid;
    EXPECT_EQ(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-', true) << uuid;
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string{"89ab"}.find(uuid[19]), std::string::npos) << uuid;
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

}  // namespace
}  // namespace penstock
