// Which hash of the body a signature carries, and computing it without holding the I/O thread up.
#pragma once

#include <string>

#include "penstock/aws/signing_policy.h"
#include "penstock/http/request.h"
#include "penstock/http/url.h"

namespace penstock::aws {

// Up to here a body is hashed where it stands: about 10 us with SHA extensions, 60 us without.
inline constexpr std::uint64_t kSmallBodyBytes = 16 * 1024;

// "unsigned", "" (to be hashed) or "auto" (a header says it). Over TLS the transport protects the body, on
// loopback nobody is in between. What is made while it is sent is never hashed: who makes it looks where it
// goes.
std::string payload_without_hashing(const http::Request& request, const http::Url& url,
                                    const SigningOptions& options);

// 64 hex digits; reads the whole payload, 64 KiB at a time.
std::string hash_payload(const http::Payload* payload);

bool is_loopback(const http::Url& url);

}  // namespace penstock::aws
