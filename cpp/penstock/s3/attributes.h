// What is said of an object, as headers: attributes to write, and the ObjectMeta an answer describes.
#pragma once

#include <string>
#include <string_view>

#include "penstock/http/headers.h"
#include "penstock/s3/provider.h"
#include "penstock/store/object.h"

namespace penstock::s3 {

// The user metadata entry that says which upload published an object (s3.md 4.5). Hidden from ObjectMeta.
inline constexpr std::string_view kTokenName = "penstock-token";

// The headers of PutObject and CreateMultipartUpload; `token` "" writes none. Conditions are not among them.
// Throws Error(refused): metadata over the row's limit, names and values that no header can carry.
http::Headers attribute_headers(const store::WriteOptions& options, const Capabilities& row,
                                std::string_view token);

// The token alone. Throws Error(refused) where the metadata among `headers` leaves no room for it.
void add_token_header(http::Headers& headers, std::string_view token, const Capabilities& row);

// If-None-Match and If-Match, for the request that publishes.
void add_condition(http::Headers& headers, const store::Mode& mode);

// `headers` are of a HEAD or GET: bytes is the whole object's, also where the answer is a range of it.
store::ObjectMeta meta_from(const http::Headers& headers, std::string_view key);
std::string token_of(const http::Headers& headers);

// RFC 2047 words (UTF-8, B) for a value that no header can carry as it is; others pass through. The reader
// also takes Q words, which AWS may answer with.
std::string encode_metadata(std::string_view value);
std::string decode_metadata(std::string_view value);

// "CRC64NVME", as S3 spells it.
std::string s3_name(Algorithm algorithm);

// The full-object checksum an answer carries for `algorithm`, base64; "" if none or a composite of parts.
std::string full_checksum(const http::Headers& headers, std::string_view algorithm);

}  // namespace penstock::s3
