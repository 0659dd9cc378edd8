#include "penstock/disk/spool.h"

#include <csignal>
#include <filesystem>
#include <span>

#include <gtest/gtest.h>
#include <sys/resource.h>

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

// No file of this process grows beyond so many bytes.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  void (*signal_)(int);
  rlimit before_{};
};

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
  EXPECT_EQ(error_of([] { Spool{"/nowhere/at/all"}; }).kind(), Kind::missing);
}

}  // namespace
}  // namespace penstock::disk
