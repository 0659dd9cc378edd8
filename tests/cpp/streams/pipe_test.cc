#include "penstock/streams/pipe.h"

#include <thread>

#include <gtest/gtest.h>

#include "support/random_bytes.h"

namespace penstock {
namespace {

TEST(Pipe, bytes_cross_threads_unchanged) {
  const std::string sent = test::random_bytes(3'000'000);
  Pipe pipe{64 * 1024};
  std::thread thread{[&sent, writer = std::move(pipe.writer)]() mutable {
    for (std::size_t at = 0, step = 1; at < sent.size(); at += step, step = step * 3 % 50'021 + 1) {
      writer.write(as_bytes(std::string_view{sent}.substr(at, step)));
    }
    writer.finish();
  }};
  std::string got;
  std::string buffer(100'000, '\0');
  while (const auto count = pipe.reader.read(std::as_writable_bytes(std::span{buffer}))) {
    got.append(buffer, 0, count);
  }
  thread.join();
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace penstock
