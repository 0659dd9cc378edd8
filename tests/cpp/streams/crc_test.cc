#include "penstock/streams/crc.h"

#include <gtest/gtest.h>

#include "support/random_bytes.h"

namespace penstock::crc {
namespace {

struct Known {
  const char* name;
  Polynomial polynomial;
  std::uint64_t of_digits;  // the CRC of "123456789", the catalogue's check value
};

constexpr Known kKnown[] = {{"crc32", kCrc32, 0xcbf43926},
                            {"crc32c", kCrc32c, 0xe3069283},
                            {"crc64nvme", kCrc64Nvme, 0xae8b14860a799888}};

// The definition: one bit after the other.
std::uint64_t bit_by_bit(const Polynomial& p, Bytes bytes) {
  const std::uint64_t all = ~std::uint64_t{0} >> (64 - p.width);
  std::uint64_t state = all;
  for (const std::byte byte : bytes) {
    state ^= static_cast<std::uint64_t>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? p.reflected : 0);
  }
  return state ^ all;
}

class Crc : public ::testing::TestWithParam<Known> {
 protected:
  const Polynomial& polynomial() const { return param_.polynomial; }
  const Known param_ = GetParam();
};

INSTANTIATE_TEST_SUITE_P(All, Crc, ::testing::ValuesIn(kKnown),
                         [](const auto& known) { return std::string{known.param.name}; });

TEST_P(Crc, gives_the_published_check_value) {
  EXPECT_EQ(update(polynomial(), 0, as_bytes("123456789")), param_.of_digits);
  EXPECT_EQ(bit_by_bit(polynomial(), as_bytes("123456789")), param_.of_digits);
}

TEST_P(Crc, every_path_agrees_with_the_definition_at_every_length) {
  const std::string bytes = test::random_bytes(1'100 + 1);
  for (const Path& path : paths()) {
    if (!path.available) continue;
    for (std::size_t size = 0; size <= 1'100; ++size) {
      const Bytes some = as_bytes(bytes).first(size);
      ASSERT_EQ(path.update(polynomial(), 0, some), bit_by_bit(polynomial(), some))
          << path.name << " at " << size;
    }
  }
}

TEST_P(Crc, every_path_agrees_with_the_definition_at_every_alignment) {
  const std::string bytes = test::random_bytes(700);
  for (const Path& path : paths()) {
    if (!path.available) continue;
    for (std::size_t from = 0; from < 64; ++from) {
      const Bytes some = as_bytes(bytes).subspan(from, 600);
      ASSERT_EQ(path.update(polynomial(), 0, some), bit_by_bit(polynomial(), some))
          << path.name << " at " << from;
    }
  }
}

TEST_P(Crc, every_path_goes_on_from_any_split) {
  const std::string bytes = test::random_bytes(700);
  const std::uint64_t expected = bit_by_bit(polynomial(), as_bytes(bytes));
  for (const Path& path : paths()) {
    if (!path.available) continue;
    for (std::size_t split = 0; split <= bytes.size(); ++split) {
      const std::uint64_t first = path.update(polynomial(), 0, as_bytes(bytes).first(split));
      ASSERT_EQ(path.update(polynomial(), first, as_bytes(bytes).subspan(split)), expected)
          << path.name << " split at " << split;
    }
  }
}

TEST_P(Crc, combines_at_every_split) {
  const std::string bytes = test::random_bytes(700);
  const std::uint64_t expected = update(polynomial(), 0, as_bytes(bytes));
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    const std::uint64_t a = update(polynomial(), 0, as_bytes(bytes).first(split));
    const std::uint64_t b = update(polynomial(), 0, as_bytes(bytes).subspan(split));
    ASSERT_EQ(combine(polynomial(), a, b, bytes.size() - split), expected) << split;
  }
}

TEST_P(Crc, combines_over_lengths_whose_bits_do_not_fit_a_word) {
  // (A B) C and A (B C) are the same bytes, also where B and C are said to be 2^62 long.
  const std::uint64_t a = 0x1234567, b = 0x89abcde, c = 0x7654321, length = std::uint64_t{1} << 62;
  const std::uint64_t left = combine(polynomial(), combine(polynomial(), a, b, length), c, length);
  const std::uint64_t right = combine(polynomial(), a, combine(polynomial(), b, c, length), 2 * length);
  EXPECT_EQ(left, right);
}

}  // namespace
}  // namespace penstock::crc
