// CRCs by folding: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
// Instruction", Intel, 2009; here in the reflected form, with every constant computed from the polynomial.
//
// A lane of 128 bits is the polynomial first * x^64 + second, where `first` is the word that comes first in
// memory. Folding moves a lane D bits on, where it is added to the lane that stands there:
//   lane * x^D = first * (x^(D+64) mod P) + second * (x^D mod P)   (mod P)
// The carry-less product of two reflected words is the reflected product times x, so the constants are for D
// - 1.
#include "penstock/streams/crc_paths.h"
#include "penstock/streams/gf2.h"

#if defined(__x86_64__)

#include <array>

#include <immintrin.h>

namespace penstock::crc {
namespace {

constexpr std::size_t kLaneBytes = 16;

struct Constants {
  std::uint64_t first, second;
};

// What moves a lane `bytes` on, as 64-bit words whatever the width: the bits below a narrow one are zero.
constexpr Constants constants_for(std::size_t bytes, const Polynomial& p) {
  const int align = 64 - p.width;
  return {x_to_the(8 * bytes + 63, p) << align, x_to_the(8 * bytes - 1, p) << align};
}

// For lanes 16, 32, 64 and 128 bytes apart.
using Distances = std::array<Constants, 4>;

constexpr Distances distances_for(const Polynomial& p) {
  return {constants_for(16, p), constants_for(32, p), constants_for(64, p), constants_for(128, p)};
}

const Distances& distances_of(const Polynomial& p) {
  static constexpr Distances kOfCrc32 = distances_for(kCrc32), kOfCrc32c = distances_for(kCrc32c),
                             kOfCrc64Nvme = distances_for(kCrc64Nvme);
  return p.width == 64 ? kOfCrc64Nvme : p.reflected == kCrc32.reflected ? kOfCrc32 : kOfCrc32c;
}

#define PENSTOCK_FOLD_128 __attribute__((target("pclmul,sse4.1")))
#define PENSTOCK_FOLD_256 __attribute__((target("vpclmulqdq,avx2,pclmul")))

PENSTOCK_FOLD_128 inline __m128i load(const std::byte* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

PENSTOCK_FOLD_128 inline __m128i constants(const Constants& by) {
  return _mm_set_epi64x(static_cast<long long>(by.second), static_cast<long long>(by.first));
}

PENSTOCK_FOLD_128 inline __m128i fold(__m128i lane, __m128i by, __m128i onto) {
  const __m128i first = _mm_clmulepi64_si128(lane, by, 0x00);
  const __m128i second = _mm_clmulepi64_si128(lane, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, second), onto);
}

// The lanes that are left are 16 bytes of message that would give the same register, so the table ends it.
PENSTOCK_FOLD_128 std::uint64_t finish(const Polynomial& p, __m128i lane, Bytes rest) {
  const __m128i by = constants(distances_of(p)[0]);
  for (; rest.size() >= kLaneBytes; rest = rest.subspan(kLaneBytes)) lane = fold(lane, by, load(rest.data()));
  std::array<std::byte, kLaneBytes> last;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(last.data()), lane);
  return by_table(p, by_table(p, 0, last), rest);
}

PENSTOCK_FOLD_256 inline __m256i load_256(const std::byte* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

PENSTOCK_FOLD_256 inline __m256i constants_256(const Constants& by) {
  return _mm256_broadcastsi128_si256(constants(by));
}

PENSTOCK_FOLD_256 inline __m256i fold_256(__m256i lanes, __m256i by, __m256i onto) {
  const __m256i first = _mm256_clmulepi64_epi128(lanes, by, 0x00);
  const __m256i second = _mm256_clmulepi64_epi128(lanes, by, 0x11);
  return _mm256_xor_si256(_mm256_xor_si256(first, second), onto);
}

}  // namespace

bool has_fold_128() {
  return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

bool has_fold_256() {
  return has_fold_128() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
}

PENSTOCK_FOLD_128 std::uint64_t by_fold_128(const Polynomial& polynomial, std::uint64_t state, Bytes bytes) {
  constexpr std::size_t kBlock = 4 * kLaneBytes;  // four lanes hide the multiply's latency
  if (bytes.size() < kBlock) return by_table(polynomial, state, bytes);
  const Distances& distances = distances_of(polynomial);
  __m128i lane0 = _mm_xor_si128(load(bytes.data()), _mm_cvtsi64_si128(static_cast<long long>(state)));
  __m128i lane1 = load(bytes.data() + 16), lane2 = load(bytes.data() + 32), lane3 = load(bytes.data() + 48);
  const __m128i by = constants(distances[2]);
  for (bytes = bytes.subspan(kBlock); bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) {
    lane0 = fold(lane0, by, load(bytes.data()));
    lane1 = fold(lane1, by, load(bytes.data() + 16));
    lane2 = fold(lane2, by, load(bytes.data() + 32));
    lane3 = fold(lane3, by, load(bytes.data() + 48));
  }
  const __m128i next = constants(distances[0]);
  return finish(polynomial, fold(fold(fold(lane0, next, lane1), next, lane2), next, lane3), bytes);
}

PENSTOCK_FOLD_256 std::uint64_t by_fold_256(const Polynomial& polynomial, std::uint64_t state, Bytes bytes) {
  constexpr std::size_t kBlock = 8 * kLaneBytes;
  if (bytes.size() < 2 * kBlock) return by_fold_128(polynomial, state, bytes);
  const Distances& distances = distances_of(polynomial);
  __m256i lanes0 = _mm256_xor_si256(load_256(bytes.data()),
                                    _mm256_zextsi128_si256(_mm_cvtsi64_si128(static_cast<long long>(state))));
  __m256i lanes1 = load_256(bytes.data() + 32), lanes2 = load_256(bytes.data() + 64),
          lanes3 = load_256(bytes.data() + 96);
  const __m256i by = constants_256(distances[3]);
  for (bytes = bytes.subspan(kBlock); bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) {
    lanes0 = fold_256(lanes0, by, load_256(bytes.data()));
    lanes1 = fold_256(lanes1, by, load_256(bytes.data() + 32));
    lanes2 = fold_256(lanes2, by, load_256(bytes.data() + 64));
    lanes3 = fold_256(lanes3, by, load_256(bytes.data() + 96));
  }
  const __m256i next = constants_256(distances[1]);
  const __m256i pair = fold_256(fold_256(fold_256(lanes0, next, lanes1), next, lanes2), next, lanes3);
  const __m128i lane =
      fold(_mm256_castsi256_si128(pair), constants(distances[0]), _mm256_extracti128_si256(pair, 1));
  return finish(polynomial, lane, bytes);
}

}  // namespace penstock::crc

#else

namespace penstock::crc {

bool has_fold_128() {
  return false;
}

bool has_fold_256() {
  return false;
}

std::uint64_t by_fold_128(const Polynomial& polynomial, std::uint64_t state, Bytes bytes) {
  return by_table(polynomial, state, bytes);
}

std::uint64_t by_fold_256(const Polynomial& polynomial, std::uint64_t state, Bytes bytes) {
  return by_table(polynomial, state, bytes);
}

}  // namespace penstock::crc

#endif
