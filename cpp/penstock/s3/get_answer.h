// A GET of an object, and what must be true of its answer before a byte of it is used. Internal to the room.
#pragma once

#include <optional>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/store/object.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {

http::Request get_request(const Client& client, const std::string& full_key,
                          const store::ReadOptions& options);

// Where the answer begins and ends, against what was asked: nothing of a lying answer is used. Throws
// Error(corrupt).
void check_range(int status, const http::Headers& headers, const store::Range& asked,
                 const std::string& subject);

// The stored checksum to compare with, the cheapest first; none of what is not the whole object.
std::optional<Digest> stored_checksum(const Client& client, int status, const http::Headers& headers);

Error corrupt(const std::string& subject, const std::string& why);
Error mismatch(const std::string& subject, const Digest& expected, const Digest& actual);

}  // namespace penstock::s3
