// SSE-C: the service encrypts an object with a key of the caller's and keeps no copy of it, so the key goes
// with every request that touches the object. It is never in an error or a log.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/error.h"
#include "penstock/http/headers.h"
#include "penstock/http/request.h"

namespace penstock::s3 {

enum class KeyOf {
  object,       // of the object written or read
  copy_source,  // of what a copy reads
};

// Algorithm, key and MD5 of the key; none for "". Error(refused) unless it has 32 bytes (AES-256).
http::Headers customer_key_headers(std::string_view key, KeyOf whose = KeyOf::object);

bool carries_customer_key(const http::Headers& headers);

void add_headers(http::Headers& headers, const http::Headers& more);

// Marks what no error may show.
void mark_customer_keys(http::Request& request);

// Error(refused): the server took the request and says nothing of the key: what it has is not encrypted by
// it. nullopt where `headers` of the answer say it is, or none was asked for.
std::optional<Error> not_encrypted(const http::Headers& asked, const http::Headers& answer);

}  // namespace penstock::s3
