#include "penstock/http/proxy.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace penstock::http {
namespace {

std::string proxy(const std::map<std::string, std::string>& environment, const char* url) {
  return proxy_for(Url::parse(url), "env", [&](const char* name) {
    const auto at = environment.find(name);
    return at == environment.end() ? nullptr : at->second.c_str();
  });
}

TEST(Proxy, each_scheme_has_its_variable_and_all_proxy_stands_in) {
  EXPECT_EQ(proxy({{"http_proxy", "http://p:1"}, {"https_proxy", "http://p:2"}}, "http://h/"), "http://p:1");
  EXPECT_EQ(proxy({{"http_proxy", "http://p:1"}, {"HTTPS_PROXY", "http://p:2"}}, "https://h/"), "http://p:2");
  EXPECT_EQ(proxy({{"all_proxy", "http://p:3"}}, "http://h/"), "http://p:3");
  EXPECT_EQ(proxy({}, "http://h/"), "");
}

TEST(Proxy, a_cgis_request_header_is_no_proxy) {
  EXPECT_EQ(proxy({{"HTTP_PROXY", "http://evil:1"}}, "http://h/"), "");
}

TEST(Proxy, no_proxy_names_hosts_domains_addresses_and_networks) {
  const auto goes_direct = [](const std::string& exceptions, const char* url) {
    return proxy({{"http_proxy", "http://p:1"}, {"no_proxy", exceptions}}, url).empty();
  };
  EXPECT_TRUE(goes_direct("a.test, b.test", "http://b.test/"));
  EXPECT_TRUE(goes_direct("b.test", "http://deep.b.test/"));
  EXPECT_TRUE(goes_direct(".b.test", "http://B.test:8080/"));
  EXPECT_FALSE(goes_direct("b.test", "http://notb.test/"));
  EXPECT_FALSE(goes_direct("b.test", "http://b.test.evil/"));
  EXPECT_TRUE(goes_direct("*", "http://h/"));
  EXPECT_TRUE(goes_direct("127.0.0.1", "http://127.1/"));
  EXPECT_FALSE(goes_direct("0.0.1", "http://127.0.0.1/"));
  EXPECT_TRUE(goes_direct("10.0.0.0/8", "http://10.1.2.3/"));
  EXPECT_FALSE(goes_direct("10.0.0.0/8", "http://11.1.2.3/"));
  EXPECT_TRUE(goes_direct("::1", "http://[::1]/"));
  EXPECT_FALSE(goes_direct("", "http://h/"));
  EXPECT_FALSE(goes_direct(", ,", "http://h/"));
}

TEST(Proxy, a_given_proxy_or_none_ignores_the_environment) {
  const auto environment = [](const char*) { return "http://p:1"; };
  EXPECT_EQ(proxy_for(Url::parse("http://h/"), "http://q:2", environment), "http://q:2");
  EXPECT_EQ(proxy_for(Url::parse("http://h/"), "", environment), "");
}

}  // namespace
}  // namespace penstock::http
