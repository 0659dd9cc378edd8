// The attempt policy that signs each try afresh and reads AWS's error bodies: codes, clock skew, expired
// tokens.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "penstock/aws/credentials.h"
#include "penstock/aws/service_error.h"
#include "penstock/http/request.h"

namespace penstock::http {
class Client;
}

namespace penstock::aws {

struct SigningOptions {
  std::string service = "s3";
  std::string region = "us-east-1";
  // Object bodies over https or loopback go UNSIGNED-PAYLOAD, small ones and plain http with the real hash.
  enum class Payload { automatic, hash, is_unsigned } payload = Payload::automatic;
  // Called when the answer says the bucket is in another region; returns the URL to go to, or "" to give up.
  std::function<std::string(const std::string& region, const http::Request& request)> move_region;
  // A 200 may carry an error (Complete, Copy, DeleteObjects): look into accepted bodies too.
  bool error_in_200 = false;
};

// One policy object an exchange of `client`, which it does not keep alive: it remembers what was mended
// (skew, token, region: each once).
std::shared_ptr<http::AttemptPolicy> signing_policy(const std::shared_ptr<http::Client>& client,
                                                    std::shared_ptr<CredentialCache> credentials,
                                                    SigningOptions options);

// The clock corrected for `host` by what its answers taught: for presigning.
WallTime corrected_now(http::Client& client, const std::string& host);

}  // namespace penstock::aws
