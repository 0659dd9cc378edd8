// Removing what is known to be secret, wherever a far end echoes it. redact.h knows secrets by the names that
// stand before them; this knows them by themselves.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "penstock/base/error.h"

namespace penstock {

// Shorter ones are not looked for: they would stand in any text.
inline constexpr std::size_t kShortestSecret = 6;

// `text` with each of `secrets` replaced by "***": as it is, percent-encoded, as character references of XML
// or HTML, escaped as in JSON, and with its end cut off by the end of the text or by "...".
std::string hide(std::string_view text, std::span<const std::string> secrets);

// The same in an error's sentence, its facts and its causes.
Error hide(Error error, std::span<const std::string> secrets);

}  // namespace penstock
