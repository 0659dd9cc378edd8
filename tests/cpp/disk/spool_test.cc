#include "penstock/disk/spool.h"

#include <filesystem>
#include <span>

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::error_of;

std::string rest_of(Source& source) {
  std::string text(source.remaining().value_or(0) + 1, '\0');
  text.resize(read_full(source, std::as_writable_bytes(std::span{text})));
  return text;
}

TEST(Spool, what_is_written_is_read_anywhere_and_has_no_name) {
  const test::TemporaryFolder folder;
  const std::string body = test::random_bytes(300'000);
  Spool spool{folder.path()};
  spool.write(as_bytes(body).first(100'000));
  spool.write(as_bytes(body).subspan(100'000));
  EXPECT_EQ(spool.size(), body.size());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  SpoolSource source{spool, 50'000};
  EXPECT_EQ(source.remaining(), 250'000u);
  source.mark();
  EXPECT_EQ(rest_of(source), body.substr(50'000));
  source.rewind();
  EXPECT_EQ(rest_of(source), body.substr(50'000));
}

TEST(Spool, a_folder_that_is_not_there_is_missing) {
  EXPECT_EQ(error_of([] { Spool{"/nowhere/at/all"}; }).kind(), Kind::missing);
}

}  // namespace
}  // namespace penstock::disk
