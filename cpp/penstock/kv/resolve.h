// Names to addresses, in a wait that can be ended: getaddrinfo itself cannot be stopped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "penstock/base/call.h"

namespace penstock::kv {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  int family = 0;
};

// The addresses of `host` in the system's order, at least one. Asked on a thread of its own, which a call
// that ends leaves behind; at most kMaxLookups of these exist, then Error(busy). Error(missing, code
// unknown_host) for a name nobody has, Error(lost, code stalled) after `until`.
inline constexpr int kMaxLookups = 64;
std::vector<Address> resolve(const std::string& host, std::uint16_t port, SteadyTime until, const Call& call);

}  // namespace penstock::kv
