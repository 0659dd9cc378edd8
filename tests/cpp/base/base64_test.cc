#include "penstock/base/base64.h"

#include <gtest/gtest.h>

#include "support/random_bytes.h"

namespace penstock {
namespace {

// RFC 4648 section 10.
TEST(Base64, gives_the_published_vectors) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foo"), "Zm9v");
  EXPECT_EQ(encode_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(encode_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encode_base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, what_is_written_is_read_with_and_without_padding) {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = test::random_bytes(size, size);
    std::string text = encode_base64(bytes);
    EXPECT_EQ(decode_base64(text), bytes);
    while (text.ends_with('=')) text.pop_back();
    EXPECT_EQ(decode_base64(text), bytes);
  }
}

TEST(Base64, anything_else_is_not_base64) {
  for (const char* text : {"Z", "Zg=", "Zg===", "=", "====", "Z===", "Zm9v=", "Zm 9v", "Zm9v\n",
                           "Zg==Zg==", "_-8=", "Zh==", "Zm9="}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace penstock
