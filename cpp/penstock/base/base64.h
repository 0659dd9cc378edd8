// Base64 (RFC 4648 section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock {

std::string encode_base64(std::string_view bytes);  // padded

// Padded or not. nullopt for any other character or length, and where bits that no byte uses are set: one
// value has one spelling.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace penstock
