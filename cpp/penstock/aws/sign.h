// Signature version 4, header and query form. Pure: no I/O, no clock but the one given.
// Judges: the public SigV4 vectors and botocore on random Unicode input.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/aws/credentials.h"
#include "penstock/http/headers.h"

namespace penstock::aws {

struct SignInput {
  std::string method = "GET";
  std::string url;  // as it goes on the wire
  http::Headers headers;
  std::string_view body;
  std::string service = "s3";
  std::string region = "us-east-1";
  WallTime now;
  std::string payload = "auto";   // auto (hash of body), unsigned, or 64 hex digits
  std::optional<bool> normalize;  // path; unset: by service (s3 no, others yes)
};

struct SignedRequest {
  std::string url;
  http::Headers headers;  // all to send, Authorization included; Host is not among them unless given
  std::string canonical_request, string_to_sign, signature;
};

// Anonymous credentials: the request as it goes on the wire, unsigned. Empty keys: Error(denied).
SignedRequest sign(const SignInput& input, const Credentials& credentials);

// A link that carries its signature in the query. `expires` is 1..604,800 s and within the life of temporary
// keys, else Error(refused). `headers` become part of the signature: who uses the link must send them.
SignedRequest presigned(const SignInput& input, const Credentials& credentials, std::chrono::seconds expires);
std::string presign(const SignInput& input, const Credentials& credentials, std::chrono::seconds expires);

// What a form that a browser posts must carry besides its policy. `sign` gives the signature of the policy's
// base64, once the policy names these fields.
struct PostFields {
  std::vector<std::pair<std::string, std::string>> fields;  // algorithm, credential, date, token
  std::function<std::string(std::string_view)> sign;
};

// Of input: region, service, now. `expires` as for presigned(). Error(refused): anonymous credentials.
PostFields post_fields(const SignInput& input, const Credentials& credentials, std::chrono::seconds expires);

}  // namespace penstock::aws
