// JSON for configuration and small documents, within limits: not for data, which is streamed.
//
// Only the forward declaration is included here; who looks into a value includes <nlohmann/json.hpp> itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace penstock {

inline constexpr std::size_t kMaxJsonDepth = 32;
inline constexpr std::size_t kMaxJsonBytes = 1024 * 1024;

// One JSON document (RFC 8259), nothing behind it. Throws Error(corrupt) for text that is not JSON, arrays
// and objects nested deeper than `max_depth`, and more than `max_bytes`. The message quotes none of the text:
// it may hold secrets.
nlohmann::json parse_json(std::string_view text, std::size_t max_depth = kMaxJsonDepth,
                          std::size_t max_bytes = kMaxJsonBytes);

// A text of an object; "" if there is none of that name, or something else.
std::string text_at(const nlohmann::json& object, const char* name);

}  // namespace penstock
