#include "penstock/http/address_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::http {
namespace {

// An IPv6 address, or an IPv4 one in its mapped form ::ffff:a.b.c.d.
using Address = std::array<unsigned char, 16>;

struct Range {
  Address first;
  int bits;
};

constexpr Address v4(int a, int b, int c = 0, int d = 0) {
  return {0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0xff,
          0xff,
          static_cast<unsigned char>(a),
          static_cast<unsigned char>(b),
          static_cast<unsigned char>(c),
          static_cast<unsigned char>(d)};
}

constexpr Range v4_range(int a, int b, int c, int bits) {
  return {v4(a, b, c), 96 + bits};
}

constexpr Range kLinkLocal[] = {
    v4_range(169, 254, 0, 16),
    {{0xfe, 0x80}, 10},
    {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128},  // EC2's metadata on IPv6
};

// Sources: IANA's special-purpose registries for IPv4 and IPv6; what they mark as not globally reachable.
constexpr Range kNotPublic[] = {
    v4_range(0, 0, 0, 8),            // this network
    v4_range(10, 0, 0, 8),           // private
    v4_range(100, 64, 0, 10),        // carrier-grade NAT
    v4_range(127, 0, 0, 8),          // loopback
    v4_range(172, 16, 0, 12),        // private
    v4_range(192, 0, 0, 24),         // protocol assignments
    v4_range(192, 0, 2, 24),         // documentation
    v4_range(192, 88, 99, 24),       // 6to4 relays
    v4_range(192, 168, 0, 16),       // private
    v4_range(198, 18, 0, 15),        // benchmarking
    v4_range(198, 51, 100, 24),      // documentation
    v4_range(203, 0, 113, 24),       // documentation
    v4_range(224, 0, 0, 4),          // multicast
    v4_range(240, 0, 0, 4),          // reserved, broadcast
    {{0x20, 0x01, 0x00}, 23},        // protocol assignments
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x3f, 0xff, 0x00}, 20},        // documentation
};

constexpr Range kGlobalUnicast{{0x20}, 3};  // all other IPv6 is loopback, ULA, multicast or reserved
constexpr Range kMapped{v4(0, 0), 96};
constexpr Range kCompatible{{}, 96};
constexpr Range kNat64{{0x00, 0x64, 0xff, 0x9b}, 96};
constexpr Range kNat64Local{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48};
constexpr Range k6to4{{0x20, 0x02}, 16};
constexpr Range kTeredo{{0x20, 0x01, 0x00, 0x00}, 32};

bool same_prefix(const unsigned char* a, const unsigned char* b, int bits) {
  const int whole = bits / 8, rest = bits % 8;
  if (std::memcmp(a, b, static_cast<std::size_t>(whole)) != 0) return false;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool in(const Address& address, const Range& range) {
  return same_prefix(address.data(), range.first.data(), range.bits);
}

bool in_any(const Address& address, std::span<const Range> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) { return in(address, range); });
}

bool is_v4(const Address& address) {
  return in(address, kMapped);
}

Address embedded(const Address& address, std::size_t at, unsigned char flip = 0) {
  return v4(address[at] ^ flip, address[at + 1] ^ flip, address[at + 2] ^ flip, address[at + 3] ^ flip);
}

// The IPv4 addresses a packet to `address` would end at or pass; empty if it wraps none.
std::vector<Address> unwrap(const Address& address) {
  if (is_v4(address)) return {};
  if (in(address, kCompatible) || in(address, kNat64) || in(address, kNat64Local))
    return {embedded(address, 12)};
  if (in(address, k6to4)) return {embedded(address, 2)};
  if (in(address, kTeredo)) return {embedded(address, 4), embedded(address, 12, 0xff)};  // server, client
  return {};
}

bool is_public(const Address& address) {
  return (is_v4(address) || in(address, kGlobalUnicast)) && !in_any(address, kLinkLocal) &&
         !in_any(address, kNotPublic);
}

// What a rule of one address says of a wrapped one: it holds for every address inside.
template <class Rule>
bool holds_inside(const Address& address, Rule rule) {
  const std::vector<Address> inner = unwrap(address);
  return inner.empty() ? rule(address) : std::all_of(inner.begin(), inner.end(), rule);
}

std::optional<Address> address_of(const sockaddr& from) {
  Address address{};
  if (from.sa_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    std::memcpy(address.data(), &v6.sin6_addr, address.size());
    return address;
  }
  if (from.sa_family != AF_INET) return std::nullopt;
  address = v4(0, 0);
  std::memcpy(address.data() + 12, &reinterpret_cast<const sockaddr_in&>(from).sin_addr, 4);
  return address;
}

std::optional<Address> address_of(std::string_view numeric) {
  const std::string text(numeric.substr(0, numeric.find('%')));  // without a zone
  Address address = v4(0, 0);
  if (::inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1) return address;
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

[[noreturn]] void refuse_cidr(std::string_view text) {
  const std::string shown = redact_text(text, 80);
  throw Error(Kind::refused, "'" + shown + "' is not a network: write it as 10.0.0.0/8 or fd00::/8",
              Facts{.doing = "parse CIDR", .subject = shown});
}

Range parse_cidr(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto address = address_of(text.substr(0, slash));
  if (!address || text.find('%') != text.npos) refuse_cidr(text);
  const bool four = text.find(':') == text.npos;
  int bits = four ? 32 : 128;
  if (slash < text.size()) {
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + slash + 1, end, bits);
    if (result.ec != std::errc{} || result.ptr != end || bits < 0 || bits > (four ? 32 : 128))
      refuse_cidr(text);
  }
  return {*address, four ? 96 + bits : bits};
}

}  // namespace

AddressPolicy AddressPolicy::any() {
  return AddressPolicy(Kind::any);
}

AddressPolicy AddressPolicy::public_only() {
  return AddressPolicy(Kind::public_only);
}

AddressPolicy AddressPolicy::unguarded() {
  return AddressPolicy(Kind::unguarded);
}

AddressPolicy AddressPolicy::custom(const std::vector<std::string>& allow,
                                    const std::vector<std::string>& deny) {
  const auto parsed = [](const std::vector<std::string>& texts) {
    std::vector<Cidr> cidrs;
    for (const auto& text : texts) {
      const Range range = parse_cidr(text);
      Cidr& cidr = cidrs.emplace_back();
      std::copy(range.first.begin(), range.first.end(), cidr.bytes);
      cidr.bits = range.bits;
    }
    return cidrs;
  };
  AddressPolicy policy(Kind::custom);
  policy.allow_ = parsed(allow);
  policy.deny_ = parsed(deny);
  return policy;
}

AddressPolicy AddressPolicy::parse(std::string_view name) {
  if (name == "any") return any();
  if (name == "public") return public_only();
  throw Error(penstock::Kind::refused,
              "guard must be \"any\" or \"public\", not '" + redact_text(name, 40) + "'",
              Facts{.doing = "parse guard"});
}

// An IPv6 network, ::/0 too, says nothing about IPv4.
bool AddressPolicy::Cidr::contains(const unsigned char* address) const {
  const bool four = same_prefix(address, kMapped.first.data(), 96);
  return (!four || bits >= 96) && same_prefix(address, bytes, bits);
}

bool AddressPolicy::allows_custom(const unsigned char* bytes) const {
  Address address;
  std::copy_n(bytes, address.size(), address.begin());
  const auto listed = [](const std::vector<Cidr>& cidrs, const Address& one) {
    return std::any_of(cidrs.begin(), cidrs.end(),
                       [&](const Cidr& cidr) { return cidr.contains(one.data()); });
  };
  const auto denied = [&](const Address& one) { return listed(deny_, one); };
  const auto allowed = [&](const Address& one) { return allow_.empty() || listed(allow_, one); };
  const std::vector<Address> inner = unwrap(address);
  if (denied(address) || std::any_of(inner.begin(), inner.end(), denied)) return false;
  return allowed(address) || (!inner.empty() && std::all_of(inner.begin(), inner.end(), allowed));
}

bool AddressPolicy::allows_bytes(const unsigned char* bytes) const {
  Address address;
  std::copy_n(bytes, address.size(), address.begin());
  switch (kind_) {
    case Kind::unguarded:
      return true;
    case Kind::custom:
      return allows_custom(bytes);
    case Kind::public_only:
      return holds_inside(address, is_public);
    case Kind::any:
      break;
  }
  return holds_inside(address, [](const Address& one) { return !in_any(one, kLinkLocal); });
}

bool AddressPolicy::allows(const sockaddr& address) const {
  const auto known = address_of(address);
  return known ? allows_bytes(known->data()) : kind_ == Kind::unguarded;
}

bool AddressPolicy::allows(std::string_view numeric_address) const {
  const auto known = address_of(numeric_address);
  return known ? allows_bytes(known->data()) : kind_ == Kind::unguarded;
}

bool is_address(std::string_view host) {
  return address_of(host).has_value();
}

}  // namespace penstock::http
