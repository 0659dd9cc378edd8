#include "penstock/streams/hash.h"

#include <gtest/gtest.h>

#include "penstock/base/error.h"
#include "penstock/streams/memory.h"

#include "support/random_bytes.h"
#include "support/stage_tests.h"

namespace penstock {
namespace {

struct Known {
  Algorithm algorithm;
  const char* name;
  const char* of_abc;  // FIPS 180-4, RFC 1321, RFC 3720 and the CRC catalogue, for "abc"
};

// The three CRCs of "abc" are checked bit by bit in crc_test.cc; here their bytes' order counts.
constexpr Known kKnown[] = {
    {Algorithm::sha256, "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {Algorithm::sha512, "sha512",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {Algorithm::sha1, "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {Algorithm::md5, "md5", "900150983cd24fb0d6963f7d28e17f72"},
};

std::string hex_of(Algorithm algorithm, std::string_view text) {
  Hasher hasher{algorithm};
  hasher.update(as_bytes(text));
  return hasher.digest().hex();
}

Digest digest_of(Algorithm algorithm, std::string_view text) {
  Hasher hasher{algorithm};
  hasher.update(as_bytes(text));
  return hasher.digest();
}

constexpr Algorithm kAll[] = {Algorithm::sha256, Algorithm::sha512, Algorithm::sha1,     Algorithm::md5,
                              Algorithm::crc32,  Algorithm::crc32c, Algorithm::crc64nvme};

TEST(Hasher, gives_the_published_digests) {
  for (const Known& known : kKnown) EXPECT_EQ(hex_of(known.algorithm, "abc"), known.of_abc) << known.name;
  EXPECT_EQ(hex_of(Algorithm::crc32, "123456789"), "cbf43926");
  EXPECT_EQ(hex_of(Algorithm::crc32c, "123456789"), "e3069283");
  EXPECT_EQ(hex_of(Algorithm::crc64nvme, "123456789"), "ae8b14860a799888");
}

TEST(Hasher, a_digest_may_be_taken_in_between_and_more_follow) {
  for (const Algorithm algorithm : kAll) {
    Hasher hasher{algorithm};
    hasher.update(as_bytes("ab"));
    EXPECT_EQ(hasher.digest().hex(), hex_of(algorithm, "ab"));
    hasher.update(as_bytes("c"));
    EXPECT_EQ(hasher.digest().hex(), hex_of(algorithm, "abc"));
  }
}

TEST(Hasher, a_copy_goes_its_own_way) {
  for (const Algorithm algorithm : kAll) {
    Hasher hasher{algorithm};
    hasher.update(as_bytes("ab"));
    Hasher copy = hasher;
    copy.update(as_bytes("x"));
    hasher.update(as_bytes("c"));
    EXPECT_EQ(hasher.digest().hex(), hex_of(algorithm, "abc"));
    EXPECT_EQ(copy.digest().hex(), hex_of(algorithm, "abx"));
  }
}

TEST(Digest, what_it_writes_it_reads_as_hex_and_base64_of_any_form) {
  for (const Algorithm algorithm : kAll) {
    const Digest digest = digest_of(algorithm, "abc");
    std::string upper = digest.hex(), unpadded = digest.base64();
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    while (unpadded.ends_with('=')) unpadded.pop_back();
    const std::string named = std::string{to_string(algorithm)} + ":" + digest.hex();
    for (const std::string& text : {digest.hex(), upper, digest.base64(), unpadded, named}) {
      EXPECT_TRUE(Digest::parse(algorithm, text).equals(digest)) << text;
    }
    EXPECT_TRUE(Digest::parse(std::nullopt, named).equals(digest));
    EXPECT_EQ(digest.raw().size(), digest_bytes(algorithm));
  }
}

TEST(Digest, eight_characters_are_hex_or_padded_base64_of_a_crc32) {
  EXPECT_EQ(Digest::parse(Algorithm::crc32, "cbf43926").base64(), "y/Q5Jg==");
  EXPECT_EQ(Digest::parse(Algorithm::crc32, "y/Q5Jg==").hex(), "cbf43926");
}

TEST(Digest, any_other_text_is_refused) {
  for (const char* text :
       {"", "abc", "sha256:", "zz", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ag",
        "md5:900150983cd24fb0d6963f7d28e17f72", "whirlpool:00"}) {
    try {
      Digest::parse(Algorithm::sha256, text);
      ADD_FAILURE() << "was read: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::refused) << text;
    }
  }
  EXPECT_THROW(Digest::parse(std::nullopt, "900150983cd24fb0d6963f7d28e17f72"), Error);
}

TEST(Digest, differs_by_one_bit_and_by_its_algorithm) {
  const Digest digest = Digest::parse(Algorithm::crc32, "cbf43926");
  EXPECT_FALSE(digest.equals(Digest::parse(Algorithm::crc32, "cbf43927")));
  EXPECT_FALSE(digest.equals(Digest::parse(Algorithm::crc32c, "cbf43926")));
}

TEST(Algorithm, names_ignore_case_dashes_and_underscores) {
  EXPECT_EQ(parse_algorithm("SHA-256"), Algorithm::sha256);
  EXPECT_EQ(parse_algorithm("crc64_nvme"), Algorithm::crc64nvme);
  EXPECT_EQ(parse_algorithm("Md5"), Algorithm::md5);
  for (const Algorithm algorithm : kAll) EXPECT_EQ(parse_algorithm(to_string(algorithm)), algorithm);
}

TEST(Algorithm, an_unknown_name_is_refused_with_the_known_ones) {
  try {
    parse_algorithm("blake3");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_NE(error.message().find("blake3"), std::string::npos);
    EXPECT_NE(error.message().find("crc64nvme"), std::string::npos);
  }
}

TEST(Combine, joins_the_crcs_of_parts) {
  for (const Algorithm algorithm : {Algorithm::crc32, Algorithm::crc32c, Algorithm::crc64nvme}) {
    const Digest joined = combine(digest_of(algorithm, "12345"), digest_of(algorithm, "6789"), 4);
    EXPECT_TRUE(joined.equals(digest_of(algorithm, "123456789")));
  }
}

TEST(Combine, of_anything_else_is_a_mistake) {
  const Digest sha = digest_of(Algorithm::sha256, "a");
  EXPECT_THROW(combine(sha, sha, 1), std::logic_error);
  EXPECT_THROW(combine(digest_of(Algorithm::crc32, "a"), digest_of(Algorithm::crc32c, "a"), 1),
               std::logic_error);
}

TEST(Hash, hashes_once_for_each_algorithm_however_often_it_is_named) {
  MemorySource inner{as_bytes("abc")};
  Hash hash{inner, {Algorithm::sha256, Algorithm::crc32, Algorithm::sha256}};
  test::read_all(hash);
  EXPECT_EQ(hash.digests().size(), 2U);
  EXPECT_EQ(hash.digests().at("sha256"), hash.digest(Algorithm::sha256).hex());
  EXPECT_THROW(hash.digest(Algorithm::md5), std::logic_error);
}

TEST(Hash, hashes_only_what_was_read_of_a_larger_buffer) {
  MemorySource inner{as_bytes("abc")};
  Hash hash{inner, {Algorithm::sha256}};
  test::read_all(hash, 1'000);
  EXPECT_EQ(hash.digest(Algorithm::sha256).hex(), kKnown[0].of_abc);
}

}  // namespace
}  // namespace penstock
