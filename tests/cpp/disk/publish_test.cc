#include "penstock/disk/publish.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "penstock/base/error.h"

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::TemporaryFolder;

// A folder that can be worked in, but not fsynced.
void make_unsyncable(const Folder& folder) {
  const int bare = ::open(folder.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(bare, 0);
  ASSERT_GE(::dup3(bare, folder.fd(), O_CLOEXEC), 0);
  ::close(bare);
}

TEST(PublishFolderOver, is_in_doubt_whichever_of_the_two_folders_cannot_be_fsynced) {
  for (const bool first : {true, false}) {
    TemporaryFolder temporary;
    const Folder from = Folder::make(temporary / "from"), to = Folder::make(temporary / "to");
    from.make_folder("staged");
    make_unsyncable(first ? from : to);
    const Error error = test::error_of([&] { publish_folder_over(from, "staged", to, "name"); });
    EXPECT_EQ(error.kind(), Kind::in_doubt);
    EXPECT_EQ(error.facts().subject, to.path_of("name"));
    EXPECT_TRUE(to.find_folder("name"));
  }
}

}  // namespace
}  // namespace penstock::disk
