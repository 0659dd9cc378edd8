#include "penstock/http/redirect.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::http {
namespace {

using test::error_from;

Request asking(std::string url, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.headers = {{"Authorization", "a"}, {"cookie", "b"},      {"Proxy-Authorization", "c"},
                     {"X-Key", "d"},         {"Host", "one.test"}, {"Accept", "e"}};
  request.secret_headers = {"x-key"};
  return request;
}

std::optional<Request> go(const Request& request, const std::string& location, int status = 302) {
  return redirected(request, status, {{"Location", location}}, 0, 10);
}

std::vector<std::string> names(const Request& request) {
  std::vector<std::string> all;
  for (const auto& [name, value] : request.headers) all.push_back(name);
  return all;
}

TEST(Redirect, only_get_and_head_follow_only_five_statuses) {
  for (int status = 100; status < 600; ++status) {
    const bool one_of_five =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    EXPECT_EQ(go(asking("http://a/"), "/b", status).has_value(), one_of_five) << status;
  }
  EXPECT_EQ(go(asking("http://a/", "HEAD"), "/b")->method, "HEAD");
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "get"})
    EXPECT_FALSE(go(asking("http://a/", method), "/b").has_value()) << method;
}

TEST(Redirect, without_a_location_the_answer_is_judged_as_it_is) {
  EXPECT_FALSE(redirected(asking("http://a/"), 302, {}, 0, 10).has_value());
  EXPECT_FALSE(redirected(asking("http://a/"), 302, {{"Location", "/b"}}, 0, 0).has_value());
}

TEST(Redirect, within_an_origin_everything_goes_along) {
  const auto next = go(asking("http://one.test/x"), "http://ONE.test:80/y?q#f");
  EXPECT_EQ(next->url, "http://one.test/y?q");
  EXPECT_EQ(names(*next).size(), 6u);
}

TEST(Redirect, when_scheme_host_or_port_changes_secrets_stay_behind) {
  for (const char* location :
       {"http://two.test/x", "http://one.test:8080/x", "https://one.test/x", "//two.test/"})
    EXPECT_EQ(names(*go(asking("http://one.test/x"), location)), std::vector<std::string>{"Accept"})
        << location;
}

TEST(Redirect, the_eleventh_is_refused) {
  const Headers answer{{"Location", "/b"}};
  EXPECT_TRUE(redirected(asking("http://a/"), 302, answer, 9, 10).has_value());
  EXPECT_EQ(error_from([&] { redirected(asking("http://a/"), 302, answer, 10, 10); })->kind(), Kind::refused);
}

TEST(Redirect, what_must_not_be_followed_is_refused) {
  for (const char* location : {"http://a/", "https://u@b/", "https://u:p@a/", "ftp://b/",
                               "file:///etc/passwd", "javascript:1", "https://b:0/", "https://", "/a\rb"}) {
    const auto error = error_from([&] { go(asking("https://a/p?secret=hunter2"), location); });
    ASSERT_TRUE(error.has_value()) << location;
    EXPECT_EQ(error->kind(), Kind::refused) << location;
    EXPECT_EQ(error->message().find("hunter2"), std::string::npos) << error->message();
  }
}

TEST(Redirect, two_different_locations_are_refused) {
  const Headers answer{{"Location", "/b"}, {"Location", "/c"}};
  EXPECT_EQ(error_from([&] { redirected(asking("http://a/"), 302, answer, 0, 10); })->kind(), Kind::refused);
  const Headers same{{"Location", "/b"}, {"location", "/b"}};
  EXPECT_EQ(redirected(asking("http://a/"), 302, same, 0, 10)->url, "http://a/b");
}

TEST(Redirect, a_body_goes_along_only_with_307_and_308) {
  Request request = asking("http://a/");
  request.body = text_payload("query");
  EXPECT_EQ(go(request, "/b", 302)->body, nullptr);
  EXPECT_NE(go(request, "/b", 307)->body, nullptr);
}

}  // namespace
}  // namespace penstock::http
