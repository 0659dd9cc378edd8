// TLS: only a certificate for this host, now, by an authority we trust.
#include <atomic>
#include <cstdlib>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "http/asking.h"
#include "support/certificates.h"
#include "support/errors.h"
#include "support/scripted_server.h"

namespace penstock::http {
namespace {

using namespace penstock::test;
using namespace std::chrono_literals;

// A variable of the environment, set or (null) unset while this lives, then as it was.
class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const char* value) : name_(name) {
    if (const char* former = std::getenv(name)) former_ = former;
    set(value);
  }
  ~EnvironmentVariable() { set(former_ ? former_->c_str() : nullptr); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  void set(const char* value) { value ? ::setenv(name_, value, 1) : ::unsetenv(name_); }
  const char* name_;
  std::optional<std::string> former_;
};

class Tls : public ::testing::Test {
 protected:
  static ScriptedServer::Options with(Certificate certificate) {
    ScriptedServer::Options options;
    options.certificate = std::move(certificate);
    return options;
  }
  ClientOptions trusting() {
    ClientOptions options = quick();
    options.ca_bundle = bundle_.path();
    return options;
  }
  void expect_refused(const Certificate& certificate, const ClientOptions& options) {
    ScriptedServer server(with(certificate));
    server.otherwise(test::respond(200, {}, "secret"));
    Client client(options);
    const Error error = error_of([&] { client.send(get(server.url("/"))); });
    EXPECT_EQ(error.kind(), Kind::refused) << error.what();
    EXPECT_EQ(error.facts().code, code::kTls) << error.what();
    EXPECT_TRUE(server.requests().empty());
    EXPECT_EQ(server.connections(), 1) << "TLS failures are not retried";
  }
  CertificateAuthority authority_;
  TextFile bundle_{authority_.pem()};
};

TEST_F(Tls, a_certificate_the_bundle_vouches_for_is_accepted) {
  ScriptedServer server(with(authority_.issue()));
  server.otherwise(test::respond(200, {}, "hello"));
  Client client(trusting());
  EXPECT_EQ(client.send(get(server.url("/"))).body, "hello");
  EXPECT_EQ(client.send(get(server.url("localhost", "/"))).body, "hello");
}

TEST_F(Tls, a_certificate_for_another_host_is_refused) {
  expect_refused(authority_.issue({.names = {"other.example"}, .addresses = {"127.0.0.2"}}), trusting());
}

TEST_F(Tls, an_expired_certificate_is_refused) {
  expect_refused(authority_.issue({.valid_from = -7200s, .valid_until = -3600s}), trusting());
}

TEST_F(Tls, a_certificate_not_yet_valid_is_refused) {
  expect_refused(authority_.issue({.valid_from = 3600s, .valid_until = 7200s}), trusting());
}

TEST_F(Tls, a_self_signed_certificate_is_refused) {
  expect_refused(self_signed(), trusting());
}

TEST_F(Tls, an_authority_outside_the_bundle_is_refused) {
  expect_refused(CertificateAuthority().issue(), trusting());
}

TEST_F(Tls, the_environment_names_a_bundle_and_amazons_variable_comes_first) {
  ScriptedServer server(with(authority_.issue()));
  server.otherwise(test::respond(200, {}, "hello"));
  const TextFile other(CertificateAuthority().pem());
  const auto trusted = [&](const char* aws, const char* openssl) {
    const EnvironmentVariable first("AWS_CA_BUNDLE", aws), second("SSL_CERT_FILE", openssl);
    Client client(quick());
    return !error_from([&] { client.send(get(server.url("/"))); });
  };
  EXPECT_FALSE(trusted(nullptr, nullptr));
  EXPECT_TRUE(trusted(bundle_.path().c_str(), nullptr));
  EXPECT_TRUE(trusted(nullptr, bundle_.path().c_str()));
  EXPECT_TRUE(trusted("", bundle_.path().c_str()));
  EXPECT_TRUE(trusted(bundle_.path().c_str(), other.path().c_str()));
  EXPECT_FALSE(trusted(other.path().c_str(), bundle_.path().c_str()));
}

TEST_F(Tls, the_environment_is_read_when_the_client_is_made) {
  ScriptedServer server(with(authority_.issue()));
  server.otherwise(test::respond(200, {}, "hello"));
  std::optional<EnvironmentVariable> ours(std::in_place, "AWS_CA_BUNDLE", bundle_.path().c_str());
  Client client(quick());
  ours.reset();
  EXPECT_EQ(client.send(get(server.url("/"))).body, "hello");
}

TEST_F(Tls, a_bundle_given_comes_before_the_environments) {
  const TextFile other(CertificateAuthority().pem());
  const EnvironmentVariable wrong("AWS_CA_BUNDLE", other.path().c_str());
  ScriptedServer server(with(authority_.issue()));
  server.otherwise(test::respond(200, {}, "hello"));
  Client client(trusting());
  EXPECT_EQ(client.send(get(server.url("/"))).body, "hello");
}

TEST_F(Tls, skipping_the_check_works_and_warns) {
  ScriptedServer server(with(self_signed()));
  server.otherwise(test::respond(200, {}, "hello"));
  std::atomic<int> warnings{0};
  ClientOptions options = quick();
  options.insecure_skip_verify = true;
  options.log = [&](LogLevel level, std::string_view, std::string_view) {
    warnings += level == LogLevel::warning;
  };
  Client client(options);
  EXPECT_EQ(client.send(get(server.url("/"))).body, "hello");
  EXPECT_GE(warnings, 1);
}

TEST_F(Tls, https_never_turns_into_http_by_a_redirect) {
  ScriptedServer plain;
  ScriptedServer server(with(authority_.issue()));
  server.otherwise(test::respond(302, {{"Location", plain.url("/")}}));
  CallOptions follow;
  follow.max_redirects = 10;
  Client client(trusting());
  EXPECT_EQ(error_of([&] { client.send(get(server.url("/")), follow); }).kind(), Kind::refused);
  EXPECT_EQ(plain.connections(), 0);
}

TEST_F(Tls, a_tunnel_through_a_proxy_verifies_the_far_host) {
  ScriptedServer server(with(authority_.issue({.names = {"far.example"}, .addresses = {"10.9.8.7"}})));
  server.otherwise(test::respond(200, {}, "far"));
  ScriptedServer proxy;
  proxy.otherwise(script().bytes("HTTP/1.1 200 Connected\r\n\r\n").tunnel(server.port()));
  ClientOptions options = trusting();
  options.proxy = proxy.origin();
  Client client(options);
  EXPECT_EQ(client.send(get("https://far.example/x")).body, "far");
  EXPECT_EQ(error_of([&] { client.send(get("https://near.example/x")); }).facts().code, code::kTls);
  EXPECT_EQ(proxy.requests()[0].method, "CONNECT");
  EXPECT_EQ(proxy.requests()[0].target, "far.example:443");
}

}  // namespace
}  // namespace penstock::http
