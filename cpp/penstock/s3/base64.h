// Base64 (RFC 4648 section 4, padded), for metadata words and Content-MD5.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::s3 {

std::string encode_base64(std::string_view bytes);
std::optional<std::string> decode_base64(std::string_view text);  // nullopt: not base64

}  // namespace penstock::s3
