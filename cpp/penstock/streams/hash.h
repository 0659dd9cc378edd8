// Digests of what passes, each byte hashed once per algorithm.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/streams/source.h"

namespace penstock {

enum class Algorithm { sha256, sha512, sha1, md5, crc32, crc32c, crc64nvme };

std::string_view to_string(Algorithm algorithm);  // "sha256", .. "crc64nvme"
std::size_t digest_bytes(Algorithm algorithm);

// Any case, "-" and "_" ignored: "SHA-256", "crc64_nvme". Throws Error(refused) naming what is known.
Algorithm parse_algorithm(std::string_view name);

// A digest's raw bytes; CRCs big-endian, as S3 prints them.
class Digest {
 public:
  Digest() = default;
  Digest(Algorithm algorithm, Bytes raw);
  // Hex of any case, or base64 padded or not; "sha256:..." may carry its algorithm, which must then agree.
  // Throws Error(refused) on another length or alphabet.
  static Digest parse(std::optional<Algorithm> algorithm, std::string_view text);

  Algorithm algorithm() const { return algorithm_; }
  Bytes raw() const { return raw_; }
  std::string hex() const;                 // lower case
  std::string base64() const;              // padded
  bool equals(const Digest& other) const;  // in constant time

 private:
  Algorithm algorithm_ = Algorithm::sha256;
  std::vector<std::byte> raw_;
};

// One running digest. Copying copies the state, which is how mark() saves it.
// MD5 under FIPS: the constructor throws Error(refused).
class Hasher {
 public:
  explicit Hasher(Algorithm algorithm);
  ~Hasher();
  Hasher(const Hasher& other);
  Hasher& operator=(const Hasher& other);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(Bytes bytes);
  Digest digest() const;  // of what came so far; more may follow
  Algorithm algorithm() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The CRC of A followed by B, from the two CRCs and B's length. Only the three CRC algorithms: else
// std::logic_error.
Digest combine(const Digest& a, const Digest& b, std::uint64_t b_bytes);

// The stage: passes bytes through and hashes them on the way, in the caller's buffer.
class Hash : public Source {
 public:
  Hash(Source& source, std::vector<Algorithm> algorithms);
  Hash(Source&& source, std::vector<Algorithm> algorithms) = delete;

  std::size_t read(MutableBytes buffer) override;
  std::size_t read_page(Page& page) override;
  std::optional<std::uint64_t> remaining() const override { return source_.remaining(); }
  bool rewindable() const override { return source_.rewindable(); }
  std::string_view repeat_obstacle() const override { return source_.repeat_obstacle(); }
  void mark() override;
  void rewind() override;

  Digest digest(Algorithm algorithm) const;            // std::logic_error if it was not asked for
  std::map<std::string, std::string> digests() const;  // name -> hex
 private:
  std::size_t passed(Bytes bytes);
  Source& source_;
  std::vector<Hasher> running_, marked_;
};

}  // namespace penstock
