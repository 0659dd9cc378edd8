#include "penstock/s3/trailer.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "penstock/base/bytes.h"

#include "support/random_bytes.h"

namespace penstock::s3 {
namespace {

// The body of a request, made by pieces of at most `step`.
std::string framed(PartTrailer& trailer, std::string_view bytes, std::uint64_t step) {
  std::string body;
  Hasher hasher{trailer.algorithm()};
  for (std::uint64_t at = 0; at < bytes.size();) {
    body += trailer.before(at);
    const std::string_view piece = bytes.substr(at, std::min(step, trailer.left_in_chunk(at)));
    body += piece;
    hasher.update(as_bytes(piece));
    at += piece.size();
    body += trailer.after(at);
  }
  return body + trailer.end(hasher.digest());
}

TEST(PartTrailer, TwoBytesAreAChunkTheLastChunkAndTheChecksum) {
  PartTrailer trailer{Algorithm::crc32, 2};
  EXPECT_EQ(trailer.checksum(), "");
  EXPECT_EQ(framed(trailer, "ab", 2), "2\r\nab\r\n0\r\nx-amz-checksum-crc32:noNIbQ==\r\n\r\n");
  EXPECT_EQ(trailer.checksum(), "noNIbQ==");
}

TEST(PartTrailer, ItsBodyIsAsLongAsItSaidWhateverThePieces) {
  for (const Algorithm algorithm : {Algorithm::crc32, Algorithm::crc32c, Algorithm::crc64nvme}) {
    for (const std::uint64_t size : {1ul, 65'535ul, 65'536ul, 65'537ul, 131'072ul, 200'000ul}) {
      const std::string content = test::random_bytes(size);
      std::string first;
      for (const std::uint64_t step : {32'768ul, 1'000ul}) {
        PartTrailer trailer{algorithm, size};
        const std::string body = framed(trailer, content, step);
        EXPECT_EQ(body.size(), trailer.framed_bytes()) << size;
        if (first.empty()) first = body;
        EXPECT_TRUE(body == first) << size;
      }
    }
  }
}

TEST(PartTrailer, AnotherTryEndsWithTheSameChecksum) {
  PartTrailer trailer{Algorithm::crc64nvme, 5};
  const std::string first = framed(trailer, "bytes", 5);
  EXPECT_EQ(framed(trailer, "bytes", 2), first);
}

}  // namespace
}  // namespace penstock::s3
