// The address guard against names that change their mind and proxies that hide them: no contact, ever.
#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/asking.h"
#include "support/errors.h"
#include "support/named_host.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;

// A listener on 127.0.0.2 at the server's port, where nobody may call.
class ForbiddenPort {
 public:
  explicit ForbiddenPort(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
  }
  ~ForbiddenPort() { ::close(fd_); }
  ForbiddenPort(const ForbiddenPort&) = delete;
  ForbiddenPort& operator=(const ForbiddenPort&) = delete;
  bool called() const {
    pollfd look{fd_, POLLIN, 0};
    return ::poll(&look, 1, 0) > 0;
  }

 private:
  int fd_;
};

class GuardTest : public ::testing::Test {
 protected:
  // Lets 127.0.0.1 through and not 127.0.0.2, and looks names up again for every connection.
  static ClientOptions guarded() {
    ClientOptions options = quick();
    options.guard = AddressPolicy::custom({}, {"127.0.0.2/32"});
    options.dns_cache = std::chrono::milliseconds{0};
    options.max_attempts = 1;
    return options;
  }
  std::string url(const char* host) const { return server_.url(host, "/a"); }
  static void expect_blocked(const Error& error) {
    EXPECT_EQ(error.kind(), Kind::denied) << error.what();
    EXPECT_EQ(error.facts().code, code::kAddressGuard) << error.what();
  }

  ScriptedServer server_;
  ForbiddenPort forbidden_{server_.port()};
};

TEST_F(GuardTest, a_name_that_turns_to_a_forbidden_address_is_judged_anew) {
  const NamedHost host("rebind.test", {{"127.0.0.1"}, {"127.0.0.2"}});
  server_.on("/a", test::respond(200, {{"Connection", "close"}}, "first"));
  Client client(guarded());
  EXPECT_EQ(client.send(get(url("rebind.test"))).body, "first");
  expect_blocked(error_of([&] { client.send(get(url("rebind.test"))); }));
  EXPECT_EQ(host.lookups(), 2);
  EXPECT_FALSE(forbidden_.called());
}

TEST_F(GuardTest, a_redirect_is_judged_by_the_address_its_name_has_then) {
  const NamedHost host("rebind.test", {{"127.0.0.1"}, {"127.0.0.2"}});
  server_.on("/a", test::respond(302, {{"Connection", "close"}, {"Location", "/secret"}}));
  CallOptions following;
  following.max_redirects = 10;
  Client client(guarded());
  expect_blocked(error_of([&] { client.send(get(url("rebind.test")), following); }));
  EXPECT_FALSE(forbidden_.called());
}

TEST_F(GuardTest, a_retry_is_judged_by_the_address_its_name_has_then) {
  const NamedHost host("rebind.test", {{"127.0.0.1"}, {"127.0.0.2"}});
  server_.on("/a", script().read_body().reset());
  ClientOptions options = guarded();
  options.max_attempts = 3;
  Client client(options);
  expect_blocked(error_of([&] { client.send(get(url("rebind.test"))); }));
  EXPECT_FALSE(forbidden_.called());
}

TEST_F(GuardTest, of_several_addresses_only_those_allowed_are_called) {
  const NamedHost host("both.test", {{"127.0.0.2", "127.0.0.1"}});
  server_.on("/a", test::respond(200, {{"Connection", "close"}}, "allowed"));
  Client client(guarded());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.send(get(url("both.test"))).body, "allowed");
  EXPECT_FALSE(forbidden_.called());
}

TEST_F(GuardTest, a_cut_at_the_allowed_address_is_not_taken_for_a_block) {
  const NamedHost host("both.test", {{"127.0.0.2", "127.0.0.1"}});
  server_.on("/a", script().read_body().reset());
  Client client(guarded());
  for (int i = 0; i < 10; ++i)  // the addresses are shuffled
    EXPECT_EQ(error_of([&] { client.send(get(url("both.test"))); }).kind(), Kind::lost);
}

// The proxy stands on loopback, which these policies forbid for targets.
class GuardBehindProxyTest : public ::testing::Test {
 protected:
  Client& with(AddressPolicy guard, bool trusts_proxy) {
    ClientOptions options = quick();
    options.proxy = proxy_.origin();
    options.guard = std::move(guard);
    options.guard_via_proxy = trusts_proxy;
    client_.emplace(options);
    return *client_;
  }
  GuardBehindProxyTest() { proxy_.otherwise(test::respond(200, {}, "by proxy")); }

  ScriptedServer proxy_;
  std::optional<Client> client_;
};

TEST_F(GuardBehindProxyTest, a_name_nobody_here_resolves_is_refused_by_policies_that_must_see_it) {
  for (const AddressPolicy& guard : {AddressPolicy::public_only(), AddressPolicy::custom({"8.8.8.0/24"}, {}),
                                     AddressPolicy::custom({}, {"10.0.0.0/8"})}) {
    Client& client = with(guard, false);
    const Error error = error_of([&] { client.send(get("http://far.example/")); });
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_NE(error.message().find("guard_via_proxy"), std::string::npos) << error.message();
  }
  EXPECT_EQ(proxy_.connections(), 0);
}

TEST_F(GuardBehindProxyTest, guard_via_proxy_trusts_the_proxy_with_names) {
  for (const AddressPolicy& guard :
       {AddressPolicy::public_only(), AddressPolicy::custom({"8.8.8.0/24"}, {"127.0.0.0/8"})}) {
    EXPECT_EQ(with(guard, true).send(get("http://far.example/")).body, "by proxy");
  }
}

TEST_F(GuardBehindProxyTest, an_address_in_the_url_is_judged_whoever_connects) {
  for (const char* url : {"http://169.254.169.254/", "http://0xa9fea9fe/", "http://[fd00:ec2::254]/",
                          "http://[::ffff:169.254.169.254]/", "https://169.254.169.254/"}) {
    for (const AddressPolicy& guard : {AddressPolicy::any(), AddressPolicy::public_only(),
                                       AddressPolicy::custom({}, {"169.254.0.0/16", "fd00::/8"})}) {
      Client& client = with(guard, true);
      const Error error = error_of([&] { client.send(get(url)); });
      EXPECT_EQ(error.kind(), Kind::denied) << url << ": " << error.what();
      EXPECT_EQ(error.facts().code, code::kAddressGuard) << url;
      EXPECT_EQ(client.statistics().guard_blocks, 1u);
    }
  }
  EXPECT_EQ(proxy_.connections(), 0);
}

TEST_F(GuardBehindProxyTest, the_policy_is_about_targets_and_never_about_the_proxys_own_address) {
  const auto no_loopback = AddressPolicy::custom({}, {"127.0.0.0/8", "::1/128"});
  EXPECT_EQ(with(no_loopback, true).send(get("http://9.9.9.9/")).body, "by proxy");
  EXPECT_EQ(with(AddressPolicy::any(), false).send(get("http://far.example/")).body, "by proxy");
}

TEST_F(GuardBehindProxyTest, a_redirect_to_a_forbidden_address_reaches_no_proxy) {
  proxy_.otherwise(test::respond(302, {{"Location", "http://169.254.169.254/latest/"}}));
  CallOptions following;
  following.max_redirects = 10;
  Client& client = with(AddressPolicy::any(), false);
  EXPECT_EQ(error_of([&] { client.send(get("http://far.example/"), following); }).facts().code,
            code::kAddressGuard);
  EXPECT_EQ(proxy_.requests().size(), 1u);
}

}  // namespace
}  // namespace penstock::http
