#include "penstock/http/address_policy.h"

#include <array>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "support/errors.h"

namespace penstock::http {
namespace {

using test::error_from;
using Four = std::array<unsigned, 4>;

struct Case {
  const char* address;
  bool any, is_public;
};

// Both edges of each block, and what lies just outside.
constexpr Case kCases[] = {
    {"0.0.0.0", true, false},          {"0.255.255.255", true, false},  {"1.0.0.0", true, true},
    {"9.255.255.255", true, true},     {"10.0.0.0", true, false},       {"10.255.255.255", true, false},
    {"11.0.0.0", true, true},          {"100.63.255.255", true, true},  {"100.64.0.0", true, false},
    {"100.127.255.255", true, false},  {"100.128.0.0", true, true},     {"126.255.255.255", true, true},
    {"127.0.0.0", true, false},        {"127.0.0.1", true, false},      {"127.255.255.255", true, false},
    {"128.0.0.0", true, true},         {"169.253.255.255", true, true}, {"169.254.0.0", false, false},
    {"169.254.169.254", false, false}, {"169.254.170.2", false, false}, {"169.254.255.255", false, false},
    {"169.255.0.0", true, true},       {"172.15.255.255", true, true},  {"172.16.0.0", true, false},
    {"172.31.255.255", true, false},   {"172.32.0.0", true, true},      {"191.255.255.255", true, true},
    {"192.0.0.0", true, false},        {"192.0.0.255", true, false},    {"192.0.1.0", true, true},
    {"192.0.2.0", true, false},        {"192.0.2.255", true, false},    {"192.0.3.0", true, true},
    {"192.88.98.255", true, true},     {"192.88.99.1", true, false},    {"192.88.100.0", true, true},
    {"192.167.255.255", true, true},   {"192.168.0.0", true, false},    {"192.168.255.255", true, false},
    {"192.169.0.0", true, true},       {"198.17.255.255", true, true},  {"198.18.0.0", true, false},
    {"198.19.255.255", true, false},   {"198.20.0.0", true, true},      {"198.51.99.255", true, true},
    {"198.51.100.0", true, false},     {"198.51.100.255", true, false}, {"198.51.101.0", true, true},
    {"203.0.112.255", true, true},     {"203.0.113.0", true, false},    {"203.0.113.255", true, false},
    {"203.0.114.0", true, true},       {"223.255.255.255", true, true}, {"224.0.0.0", true, false},
    {"239.255.255.255", true, false},  {"240.0.0.0", true, false},      {"255.255.255.254", true, false},
    {"255.255.255.255", true, false},  {"8.8.8.8", true, true},         {"93.184.216.34", true, true},
};
static_assert(std::size(kCases) == 60);

Four parts(const std::string& address) {
  in_addr raw{};
  EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &raw), 1);
  unsigned char bytes[4];
  std::memcpy(bytes, &raw, 4);
  return {bytes[0], bytes[1], bytes[2], bytes[3]};
}

std::string printed(const char* form, const Four& p, unsigned flip = 0) {
  char text[64];
  std::snprintf(text, sizeof text, form, p[0] ^ flip, p[1] ^ flip, p[2] ^ flip, p[3] ^ flip);
  return text;
}

std::vector<std::string> spellings(const std::string& address) {
  const Four p = parts(address);
  return {address,
          "::ffff:" + address,
          "64:ff9b::" + address,
          printed("2002:%02x%02x:%02x%02x::1", p),
          printed("2001:0:0808:0808:0:0:%02x%02x:%02x%02x", p, 0xff),  // Teredo, the server is 8.8.8.8
          printed("2001:0:%02x%02x:%02x%02x:0:0:f7f7:f7f7", p)};       // Teredo, the client is 8.8.8.8
}

bool allows_socket_address(const AddressPolicy& policy, const std::string& text) {
  sockaddr_in v4{.sin_family = AF_INET};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1)
    return policy.allows(reinterpret_cast<sockaddr&>(v4));
  sockaddr_in6 v6{.sin6_family = AF_INET6};
  EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
  return policy.allows(reinterpret_cast<sockaddr&>(v6));
}

TEST(AddressPolicy, sixty_addresses_are_judged_alike_in_every_spelling) {
  const auto any = AddressPolicy::any(), public_only = AddressPolicy::public_only();
  for (const Case& one : kCases) {
    for (const std::string& spelling : spellings(one.address)) {
      EXPECT_EQ(any.allows(spelling), one.any) << spelling;
      EXPECT_EQ(public_only.allows(spelling), one.is_public) << spelling;
      EXPECT_EQ(allows_socket_address(any, spelling), one.any) << spelling;
      EXPECT_EQ(allows_socket_address(public_only, spelling), one.is_public) << spelling;
      EXPECT_TRUE(AddressPolicy::unguarded().allows(spelling)) << spelling;
    }
  }
}

TEST(AddressPolicy, ipv6_addresses_of_their_own) {
  constexpr Case cases[] = {
      {"::", true, false},
      {"::1", true, false},
      {"::127.0.0.1", true, false},
      {"::169.254.169.254", false, false},
      {"fe7f::1", true, false},
      {"fe80::1", false, false},
      {"febf::1", false, false},
      {"fe80::1%eth0", false, false},
      {"fec0::1", true, false},
      {"fc00::1", true, false},
      {"fdff::1", true, false},
      {"fd00:ec2::254", false, false},
      {"fd00:ec2::23", true, false},
      {"ff02::1", true, false},
      {"2001:db8::1", true, false},
      {"2001:2::1", true, false},
      {"2001:20::1", true, false},
      {"2001:200::1", true, true},
      {"2606:4700::1", true, true},
      {"3fff::1", true, false},
      {"3fff:1000::1", true, true},
      {"4000::1", true, false},
      {"64:ff9b:1::a9fe:a9fe", false, false},
      {"100::1", true, false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(AddressPolicy::any().allows(one.address), one.any) << one.address;
    EXPECT_EQ(AddressPolicy::public_only().allows(one.address), one.is_public) << one.address;
  }
}

TEST(AddressPolicy, deny_wins_over_allow_and_allow_closes_the_rest) {
  const auto policy = AddressPolicy::custom({"10.0.0.0/8", "2001:db8::/32"}, {"10.1.0.0/16", "10.2.0.7"});
  EXPECT_TRUE(policy.allows("10.0.0.1"));
  EXPECT_TRUE(policy.allows("10.2.0.8"));
  EXPECT_TRUE(policy.allows("2001:db8::5"));
  EXPECT_TRUE(policy.allows("::ffff:10.0.0.1"));
  EXPECT_FALSE(policy.allows("10.1.2.3"));
  EXPECT_FALSE(policy.allows("10.2.0.7"));
  EXPECT_FALSE(policy.allows("64:ff9b::10.1.2.3"));
  EXPECT_FALSE(policy.allows("11.0.0.1"));
  EXPECT_FALSE(policy.allows("2001:db9::5"));
}

TEST(AddressPolicy, an_ipv6_network_says_nothing_about_ipv4) {
  EXPECT_TRUE(AddressPolicy::custom({}, {"::/0"}).allows("10.0.0.1"));
  EXPECT_FALSE(AddressPolicy::custom({}, {"::/0"}).allows("2001:db8::1"));
  EXPECT_FALSE(AddressPolicy::custom({}, {"0.0.0.0/0"}).allows("10.0.0.1"));
  EXPECT_TRUE(AddressPolicy::custom({}, {"0.0.0.0/0"}).allows("2606:4700::1"));
}

TEST(AddressPolicy, a_wrapping_network_can_be_denied_itself) {
  EXPECT_FALSE(AddressPolicy::custom({}, {"2002::/16"}).allows("2002:0808:0808::1"));
}

TEST(AddressPolicy, prefixes_end_inside_a_byte) {
  const auto policy = AddressPolicy::custom({"192.168.0.0/29"}, {});
  EXPECT_TRUE(policy.allows("192.168.0.7"));
  EXPECT_FALSE(policy.allows("192.168.0.8"));
}

TEST(AddressPolicy, what_is_no_network_is_refused) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8",
                           "host", "fe80::1%eth0/10", "::/129", "010.0.0.1", "10.0.0.0/8/8"})
    EXPECT_EQ(error_from([&] { AddressPolicy::custom({text}, {}); })->kind(), Kind::refused) << text;
  EXPECT_EQ(error_from([] { AddressPolicy::parse("private"); })->kind(), Kind::refused);
  EXPECT_TRUE(AddressPolicy::parse("public").must_see_the_host());
}

TEST(AddressPolicy, what_is_no_address_is_allowed_by_nobody_but_unguarded) {
  sockaddr local{};
  local.sa_family = AF_UNIX;
  for (const auto& policy :
       {AddressPolicy::any(), AddressPolicy::public_only(), AddressPolicy::custom({}, {})}) {
    EXPECT_FALSE(policy.allows(local));
    EXPECT_FALSE(policy.allows("localhost"));
    EXPECT_FALSE(policy.allows("0x7f.1"));
    EXPECT_FALSE(policy.allows(""));
  }
  EXPECT_TRUE(AddressPolicy::unguarded().allows(local));
}

}  // namespace
}  // namespace penstock::http
