// The token that "aws sso login" left, kept alive for as long as its registration allows.
#pragma once

#include <string>

#include "penstock/aws/key_client.h"

namespace penstock::aws {

struct SsoLogin {
  std::string name;       // of the session, else the start URL: what the file is named after
  std::string directory;  // ~/.aws/sso/cache
  std::string oidc_url;
  std::string advice;  // how to log in again, for messages
};

// The access token. From 15 min before its end it is renewed, once however many threads and processes ask,
// and the file replaced by rename, 0600. Where renewing fails the old one serves until it ends. Throws
// Error(denied) that says how to log in, Error(lost) if an ended token could not be renewed for want of an
// answer.
std::string sso_token(const SsoLogin& login, const http::ClientOptions& web, const Call& call);

}  // namespace penstock::aws
