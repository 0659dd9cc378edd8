#include "penstock/streams/hash.h"

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "penstock/base/error.h"
#include "penstock/streams/crc.h"

namespace penstock {
namespace {

// nullptr for the digests that OpenSSL computes.
const crc::Polynomial* polynomial_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::crc32:
      return &crc::kCrc32;
    case Algorithm::crc32c:
      return &crc::kCrc32c;
    case Algorithm::crc64nvme:
      return &crc::kCrc64Nvme;
    default:
      return nullptr;
  }
}

// Fetched once and kept: a fetch searches OpenSSL's providers under a lock. nullptr where the provider in
// force has no such digest (MD5 under FIPS).
const EVP_MD* message_digest(Algorithm algorithm) {
  static const std::array<const EVP_MD*, 4> fetched = {
      EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_fetch(nullptr, "SHA512", nullptr),
      EVP_MD_fetch(nullptr, "SHA1", nullptr), EVP_MD_fetch(nullptr, "MD5", nullptr)};
  return fetched.at(static_cast<std::size_t>(algorithm));
}

void require(int success) {
  if (success != 1) throw std::bad_alloc{};  // with valid arguments nothing else fails in EVP
}

Error refused(Algorithm algorithm) {
  return {Kind::refused,
          fmt::format("{} is not offered by this machine's OpenSSL (FIPS?): ask for sha256",
                      to_string(algorithm)),
          {.doing = "hash"}};
}

// OpenSSL's running state, copied by value.
class Evp {
 public:
  explicit Evp(Algorithm algorithm) {
    const EVP_MD* const digest = message_digest(algorithm);
    if (!digest) throw refused(algorithm);
    require(EVP_DigestInit_ex2(context_.get(), digest, nullptr));
  }
  Evp(const Evp& other) { require(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get())); }
  Evp& operator=(const Evp& other) {
    require(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()));
    return *this;
  }
  ~Evp() = default;

  void update(Bytes bytes) { require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size())); }

  std::vector<std::byte> digest() const {
    Evp copy{*this};
    std::vector<std::byte> raw(static_cast<std::size_t>(EVP_MD_CTX_get_size(context_.get())));
    require(EVP_DigestFinal_ex(copy.context_.get(), reinterpret_cast<unsigned char*>(raw.data()), nullptr));
    return raw;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  static EVP_MD_CTX* allocate() {
    if (EVP_MD_CTX* const context = EVP_MD_CTX_new()) return context;
    throw std::bad_alloc{};
  }
  std::unique_ptr<EVP_MD_CTX, Free> context_{allocate()};
};

class Crc {
 public:
  explicit Crc(const crc::Polynomial& polynomial) : polynomial_(&polynomial) {}
  void update(Bytes bytes) { value_ = crc::update(*polynomial_, value_, bytes); }
  std::vector<std::byte> digest() const {
    std::vector<std::byte> raw;
    for (int shift = polynomial_->width - 8; shift >= 0; shift -= 8) {
      raw.push_back(static_cast<std::byte>(value_ >> shift & 0xff));
    }
    return raw;
  }

 private:
  const crc::Polynomial* polynomial_;
  std::uint64_t value_ = 0;
};

std::variant<Evp, Crc> start(Algorithm algorithm) {
  if (const auto* const polynomial = polynomial_of(algorithm)) return Crc{*polynomial};
  return Evp{algorithm};
}

std::uint64_t crc_value(const Digest& digest) {
  std::uint64_t value = 0;
  for (const std::byte byte : digest.raw()) value = value << 8 | static_cast<std::uint64_t>(byte);
  return value;
}

}  // namespace

struct Hasher::State {
  Algorithm algorithm;
  std::variant<Evp, Crc> running;
};

Hasher::Hasher(Algorithm algorithm) : state_(new State{algorithm, start(algorithm)}) {}
Hasher::~Hasher() = default;
Hasher::Hasher(const Hasher& other) : state_(std::make_unique<State>(*other.state_)) {}
Hasher& Hasher::operator=(const Hasher& other) {
  *this = Hasher{other};
  return *this;
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(Bytes bytes) {
  std::visit([bytes](auto& running) { running.update(bytes); }, state_->running);
}

Digest Hasher::digest() const {
  return {state_->algorithm,
          std::visit([](const auto& running) { return running.digest(); }, state_->running)};
}

Algorithm Hasher::algorithm() const {
  return state_->algorithm;
}

Digest combine(const Digest& a, const Digest& b, std::uint64_t b_bytes) {
  const auto* const polynomial = polynomial_of(a.algorithm());
  if (!polynomial || a.algorithm() != b.algorithm()) {
    throw std::logic_error{"combine() of two digests that are not the same CRC"};
  }
  const std::uint64_t value = crc::combine(*polynomial, crc_value(a), crc_value(b), b_bytes);
  std::vector<std::byte> raw;
  for (int shift = polynomial->width - 8; shift >= 0; shift -= 8) {
    raw.push_back(static_cast<std::byte>(value >> shift & 0xff));
  }
  return {a.algorithm(), raw};
}

Hash::Hash(Source& source, std::vector<Algorithm> algorithms) : source_(source) {
  std::sort(algorithms.begin(), algorithms.end());
  algorithms.erase(std::unique(algorithms.begin(), algorithms.end()), algorithms.end());
  for (const Algorithm algorithm : algorithms) running_.emplace_back(algorithm);
}

std::size_t Hash::read(MutableBytes buffer) {
  return passed(buffer.first(source_.read(buffer)));
}

std::size_t Hash::read_page(Page& page) {
  const std::size_t got = source_.read_page(page);
  return passed(page.bytes().first(got));
}

std::size_t Hash::passed(Bytes bytes) {
  for (Hasher& hasher : running_) hasher.update(bytes);
  return bytes.size();
}

void Hash::mark() {
  source_.mark();
  marked_ = running_;
}

void Hash::rewind() {
  source_.rewind();
  running_ = marked_;
}

Digest Hash::digest(Algorithm algorithm) const {
  for (const Hasher& hasher : running_) {
    if (hasher.algorithm() == algorithm) return hasher.digest();
  }
  throw std::logic_error{"digest() of an algorithm that Hash was not asked for"};
}

std::map<std::string, std::string> Hash::digests() const {
  std::map<std::string, std::string> result;
  for (const Hasher& hasher : running_) {
    result.emplace(to_string(hasher.algorithm()), hasher.digest().hex());
  }
  return result;
}

}  // namespace penstock
