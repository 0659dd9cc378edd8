// The two functions signature version 4 is made of.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace penstock::aws {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view text);

std::string hex(const Sha256& digest);
std::string hex_sha256(std::string_view bytes);

inline std::string_view as_text(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace penstock::aws
