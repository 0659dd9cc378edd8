#include "penstock/http/wire.h"

#include <string_view>

#include "penstock/http/client.h"
#include "penstock/http/fault.h"
#include "penstock/http/proxy.h"

namespace penstock::http {
namespace {

// The connection will be the proxy's, which nobody asked to be judged; of the host behind it only an address
// in the URL can be seen.
void guard_behind_proxy(const Url& url, const AddressPolicy& guard, bool trusts_proxy) {
  if (guard.must_see_the_host() && !trusts_proxy) {
    throw Error(Kind::refused,
                "the address guard cannot see past a proxy; pass guard_via_proxy to trust the proxy's own",
                Facts{.code = std::string(code::kAddressGuard)});
  }
  if (is_address(url.host) && !guard.allows(std::string_view(url.host))) throw blocked_fault();
}

}  // namespace

bool may_arrive_twice(const Request& request, const CallOptions& options) {
  return options.idempotent || (request.method != "POST" && request.method != "PATCH");
}

Wire wire_for(const Request& request, const Url& url, const CallOptions& options, const ClientOptions& client,
              const Environment& environment) {
  Wire wire{.url = url, .proxy = {}};
  wire.guard = options.guard.value_or(client.guard);
  wire.proxy = proxy_for(url, options.proxy == "client" ? client.proxy : options.proxy, environment);
  wire.expect_continue = options.expect_continue;
  wire.receive_bytes = options.receive_bytes.value_or(0);
  wire.upload_bytes = options.upload_bytes.value_or(0);
  // What was made for one try cannot be made again behind the back of whoever makes it.
  wire.may_repeat = may_arrive_twice(request, options) && !(request.body && request.body->stream());
  wire.guard_applies = wire.proxy.empty();
  if (!wire.proxy.empty()) guard_behind_proxy(url, wire.guard, client.guard_via_proxy);
  return wire;
}

}  // namespace penstock::http
