// AWS credentials: where they come from (s3.md 2.1) and how they stay fresh (2.2).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "penstock/base/call.h"
#include "penstock/base/clock.h"
#include "penstock/base/error.h"

namespace penstock::http {
class Client;
}

namespace penstock::aws {

// One snapshot of key, secret and token: never mixed from two loads.
struct Credentials {
  std::string access_key_id, secret_access_key, session_token;
  std::optional<WallTime> expires;
  bool anonymous = false;       // requests go unsigned
  bool outlive_expiry = false;  // of instance metadata, whose keys AWS honours while it cannot renew them
  std::string source;           // "given", "environment", "profile dev (~/.aws/credentials)": for people
};

using Loaded = std::variant<Credentials, Error>;

// One row of the chain. nullopt: not configured, ask the next; an Error stops the chain.
class CredentialProvider {
 public:
  virtual ~CredentialProvider() = default;
  virtual std::string name() const = 0;
  virtual std::optional<Credentials> load(const Call& call) = 0;  // may block: runs on a Worker
};

// What the chain reads, so that a test or a caller can give another world than the process's.
struct ChainInputs {
  std::optional<Credentials> given;
  std::function<Credentials()> callable;
  bool anonymous = false;
  // The code that the device `serial` shows, for a role that asks for it. Called on a worker at each load.
  std::function<std::string(const std::string& serial)> mfa;
  std::string profile;  // "": AWS_PROFILE, else "default"
  std::string region_hint;
  std::map<std::string, std::string> environment;  // captured at construction
  std::string home;
  static ChainInputs from_process();
};

// Keeps one load in flight however many callers, refreshes ahead of expiry, keeps valid keys when a refresh
// fails. Threads: shared freely; callbacks run on the I/O thread or a worker, never under a lock.
class CredentialCache {
 public:
  using Ready = std::function<void(Loaded)>;
  virtual ~CredentialCache() = default;
  virtual void get(Ready ready) = 0;  // at once if fresh
  virtual Credentials wait(const Call& call) = 0;
  virtual void force_refresh(const Credentials& rejected) = 0;  // ExpiredToken: once per rejected snapshot
};

// One process-wide cache keyed by the chain's inputs: equal inputs share it. Fixed for the life of `client`.
std::shared_ptr<CredentialCache> credentials_for(ChainInputs inputs,
                                                 const std::shared_ptr<http::Client>& client);

// region: argument, AWS_REGION, AWS_DEFAULT_REGION, profile, "us-east-1".
std::string region_for(const ChainInputs& inputs);
// An endpoint from AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, AWS_ENDPOINT (s3 and sqs alone: it is no
// variable of AWS's), profile endpoint_url; "" if none. `service` in lower case: "s3", "sso-oidc".
std::string endpoint_for(const ChainInputs& inputs, std::string_view service);

}  // namespace penstock::aws
