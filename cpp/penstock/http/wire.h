// How one try is made, beside its Request: what the call's options, the client's and the environment come to.
#pragma once

#include <cstddef>
#include <string>

#include "penstock/http/address_policy.h"
#include "penstock/http/proxy.h"
#include "penstock/http/url.h"

namespace penstock::http {

struct CallOptions;
struct ClientOptions;
struct Request;

struct Wire {
  Url url;
  std::string proxy;  // "" for none
  AddressPolicy guard = AddressPolicy::any();
  bool guard_applies = true;  // false: the connection is a proxy's
  bool expect_continue = false;
  std::size_t ring_bytes = 0;                       // of the body's ring; 0: no ring
  std::size_t receive_bytes = 0, upload_bytes = 0;  // libcurl's buffers; 0: the usual
  bool may_repeat = true;  // false: libcurl must not send it again on a fresh connection by itself
};

// Whether the request may arrive twice: it is idempotent by its method, or the caller says so.
bool may_arrive_twice(const Request& request, const CallOptions& options);

// `url` is the request's. Throws what the address guard says of a proxy, and of an address behind it.
Wire wire_for(const Request& request, const Url& url, const CallOptions& options, const ClientOptions& client,
              const Environment& environment);

}  // namespace penstock::http
