// How providers ask the endpoints that hand out keys: small answers, short clocks, no secret in an error.
//
// Life:     that of one load. Its HTTP client has the certificates, proxy, clock and log of whoever signs
//           with the keys, and a thread of its own that ends with it: loads are an hour apart.
// Memory:   an answer of at most 64 KiB.
// Failure:  Error(denied) for an answer that holds no keys, whatever its status: nobody must take the 404
//           of an endpoint for a missing object. lost, busy and cancelled stay what they are. Status and
//           code are the cause's alone; a body is quoted only where it is an error document.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/aws/credentials.h"
#include "penstock/http/client.h"

namespace penstock::aws {

struct Patience {
  std::chrono::milliseconds time{10'000};  // to connect, until the first byte, without progress: each
  int tries = 3;
};

// What a request needs besides itself.
struct Asking {
  std::vector<std::string> secrets{};  // in its body, which no error may show
  std::optional<Credentials> keys{};   // signs it, for STS
  std::string region{};                // of the signature
  bool twice = true;                   // it may be sent again when it is not known to have arrived
};

struct KeyAnswer {
  std::string body;  // of a 2xx
  // How far the signer's clock is ahead of the endpoint's; 0 if they agree within 5 min, or it is behind. New
  // keys would else come ended; where it is behind, the far end says when they have ended.
  std::chrono::system_clock::duration ahead{0};

  // `theirs`, when keys end by the endpoint's clock, by the signer's.
  WallTime ours(WallTime theirs) const {
    return theirs < WallTime::max() - ahead ? theirs + ahead : WallTime::max();
  }
};

class KeyClient {
 public:
  // A metadata service: link-local, never through a proxy. `name` begins every message.
  static KeyClient metadata(std::string name, http::ClientOptions options, Patience patience,
                            http::AddressPolicy guard = http::AddressPolicy::unguarded());
  // A service of AWS, reached as everything else is.
  static KeyClient service(std::string name, http::ClientOptions options);

  KeyAnswer ask(http::Request request, const Call& call, const Asking& how = {}) const;
  void warn(std::string_view line) const;

 private:
  KeyClient(std::string name, http::ClientOptions options, Patience patience, http::AddressPolicy guard);
  http::CallOptions options_for(const Call& call, const Asking& how) const;
  Error told(const Error& error) const;

  std::string name_;
  Patience patience_;
  http::AddressPolicy guard_;
  std::shared_ptr<http::Client> client_;
};

// Where a service of AWS is asked for keys: an endpoint that environment or profile names for `service`
// ("sso-oidc"), else https://HOST.REGION and the region's domain. Error(refused) for a region that is none.
std::string key_service_url(const ChainInputs& inputs, std::string_view service, std::string_view host,
                            const std::string& region);

}  // namespace penstock::aws
