// What the ways of computing a CRC share: the bare register, without the inversions at both ends.
#pragma once

#include <cstddef>
#include <cstdint>

#include "penstock/base/bytes.h"
#include "penstock/streams/crc.h"

namespace penstock::crc {

std::uint64_t by_table(const Polynomial& polynomial, std::uint64_t state, Bytes bytes);

// By the CPU's carry-less multiply of 128 or 256 bits at a time. Call only where has_..() says so.
bool has_fold_128();
bool has_fold_256();
std::uint64_t by_fold_128(const Polynomial& polynomial, std::uint64_t state, Bytes bytes);
std::uint64_t by_fold_256(const Polynomial& polynomial, std::uint64_t state, Bytes bytes);

}  // namespace penstock::crc
