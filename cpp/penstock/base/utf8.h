// Text as bytes.
#pragma once

#include <string>
#include <string_view>

namespace penstock {

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

void append_utf8(std::string& text, char32_t c);

}  // namespace penstock
