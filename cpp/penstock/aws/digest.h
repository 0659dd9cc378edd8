// The two functions signature version 4 is made of, and the one that names the files of single sign-on.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace penstock::aws {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view text);

std::string hex(std::span<const unsigned char> digest);
std::string hex_sha256(std::string_view bytes);
std::string hex_sha1(std::string_view bytes);  // proves nothing: a name

inline std::string_view as_text(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace penstock::aws
