// Text as bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock {

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

void append_utf8(std::string& text, char32_t c);

// The character at the front of `text` (not empty), which is taken off; nullopt for a byte that begins none,
// and that byte is taken off.
std::optional<char32_t> take_character(std::string_view& text);

// The longest beginning of `text` of at most `max_bytes` that cuts no character in two.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

}  // namespace penstock
