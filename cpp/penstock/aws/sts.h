// AWS's Security Token Service: temporary keys for a role. Query protocol, version 2011-06-15.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "penstock/aws/key_client.h"

namespace penstock::aws {

struct StsRequest {
  std::string action;
  std::vector<std::pair<std::string, std::string>> fields{};  // those with an empty value are left out
  std::optional<Credentials> keys{};                          // signs it; unset: the fields say who asks
  std::vector<std::string> secrets{};                         // among the fields
  std::string source;                                         // of the keys it gives, for people
};

// Asked in the region of `root`, the profile that the caller named. STS is regional: the global endpoint is
// one more thing that can be down.
Credentials ask_sts(const StsRequest& request, const ChainInputs& root, const http::ClientOptions& web,
                    const Call& call);

// "penstock-1800000000": who is in CloudTrail where nobody named the session.
std::string usual_session_name(const http::ClientOptions& web);

}  // namespace penstock::aws
