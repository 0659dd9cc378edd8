#include "penstock/disk/spool.h"

#include <filesystem>
#include <span>

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/full_disk.h"
#include "support/random_bytes.h"
#include "support/temporary_folder.h"

namespace penstock::disk {
namespace {

using test::error_of;
using test::FullDisk;

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

TEST(Spool, a_short_one_never_reaches_the_disk) {
  const FullDisk disk{0};
  Spool spool;
  for (int i = 0; i < 64; ++i) spool.write(as_bytes(std::string(1024, static_cast<char>('0' + i))));
  SpoolSource source{spool};
  const std::string all = rest_of(source);
  EXPECT_EQ(all.size(), 64u * 1024);
  EXPECT_EQ(all.substr(1023, 2), "01");
}

TEST(Spool, what_a_full_disk_refuses_is_not_in_it) {
  const std::string body = test::random_bytes(180'000);
  Spool spool;
  {
    const FullDisk disk{100'000};
    spool.write(as_bytes(body).first(60'000));
    spool.write(as_bytes(body).subspan(60'000, 60'000));
    EXPECT_THROW(spool.write(as_bytes(body).subspan(120'000)), Error);
  }
  SpoolSource before{spool};
  EXPECT_EQ(rest_of(before), body.substr(0, 120'000));
  spool.write(as_bytes(body).subspan(120'000));
  SpoolSource after{spool};
  EXPECT_EQ(rest_of(after), body);
}

TEST(Spool, a_folder_that_is_not_there_is_missing) {
  Spool spool{"/nowhere/at/all"};
  const std::string text(100'000, 'x');
  EXPECT_EQ(error_of([&] { spool.write(as_bytes(text)); }).kind(), Kind::missing);
  EXPECT_EQ(spool.size(), 0u);
}

TEST(Spool, what_is_cut_is_as_if_it_was_never_written) {
  for (const std::size_t kept : {std::size_t{10}, std::size_t{150'000}, std::size_t{200'000}}) {
    const std::string text = test::random_bytes(200'000);
    Spool spool;
    for (std::size_t at = 0; at < text.size(); at += 50'000)
      spool.write(as_bytes(std::string_view{text}.substr(at, 50'000)));
    spool.cut(kept);
    EXPECT_EQ(spool.size(), kept);
    spool.write(as_bytes(std::string_view{"more"}));
    SpoolSource source{spool};
    EXPECT_EQ(rest_of(source), text.substr(0, kept) + "more");
  }
}

}  // namespace
}  // namespace penstock::disk
