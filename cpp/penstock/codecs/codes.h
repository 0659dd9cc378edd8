// The codes of this room's Errors, beside the core's own in base/error.h.
#pragma once

#include <string_view>

namespace penstock::codecs::code {

inline constexpr std::string_view kTruncated = "truncated";     // corrupt: it ends too early
inline constexpr std::string_view kTrailing = "trailing";       // corrupt: bytes after the end
inline constexpr std::string_view kUnsafeName = "unsafe_name";  // refused: it would lead out of a folder
inline constexpr std::string_view kUnsupported =
    "unsupported";  // refused: encryption, a method, a sparse file

}  // namespace penstock::codecs::code
