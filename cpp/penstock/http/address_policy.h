// Which addresses a connection may reach: judged on the resolved address, before the first byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace penstock::http {

// any():        all but link-local (169.254/16, fe80::/10) and fd00:ec2::254.
// public_only(): also not loopback, private, CGNAT, ULA, multicast, 0/8, reserved.
// unguarded():  all; for credential providers, whose endpoints are link-local.
// custom():     `deny` wins over `allow`; with `allow` not empty only those. A network in IPv6 notation
//               says nothing about IPv4.
// v4-mapped, v4-compatible, NAT64, 6to4 and Teredo addresses are unwrapped first, then compared as numbers;
// all they wrap must be allowed. What is no IP address is allowed by unguarded() alone.
class AddressPolicy {
 public:
  static AddressPolicy any();
  static AddressPolicy public_only();
  static AddressPolicy unguarded();
  // CIDRs such as "10.0.0.0/8", "fd00::/8". Throws Error(refused) on one that does not parse.
  static AddressPolicy custom(const std::vector<std::string>& allow, const std::vector<std::string>& deny);
  static AddressPolicy parse(std::string_view name);  // "any", "public"

  bool allows(const sockaddr& address) const;
  bool allows(std::string_view numeric_address) const;
  // Whether it says of a host, and not only of a few addresses nobody means, where it may be: what a proxy
  // hides.
  bool must_see_the_host() const { return kind_ == Kind::public_only || kind_ == Kind::custom; }

 private:
  enum class Kind { any, public_only, unguarded, custom };
  struct Cidr {
    unsigned char bytes[16];
    int bits;
    bool contains(const unsigned char* address) const;
  };
  explicit AddressPolicy(Kind kind) : kind_(kind) {}
  bool allows_bytes(const unsigned char* bytes) const;
  bool allows_custom(const unsigned char* bytes) const;
  Kind kind_;
  std::vector<Cidr> allow_, deny_;
};

// Whether `host`, as Url::host holds it, is an address and not a name.
bool is_address(std::string_view host);

}  // namespace penstock::http
