// The parts of the client that do no I/O: stall clock, head, proxy choice.
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "penstock/http/head.h"
#include "penstock/http/proxy.h"
#include "penstock/http/stall.h"

namespace penstock::http {
namespace {

using std::chrono::milliseconds;

TEST(StallClock, too_few_bytes_over_a_whole_window_are_a_stall) {
  StallClock clock(milliseconds{1600}, 1000);
  for (int i = 0; i < 15; ++i) clock.count(milliseconds{100}, 0);
  EXPECT_FALSE(clock.stalled());
  clock.count(milliseconds{100}, 1599);
  EXPECT_TRUE(clock.stalled());
}

TEST(StallClock, the_window_slides) {
  StallClock clock(milliseconds{1600}, 1000);
  clock.count(milliseconds{100}, 1'000'000);
  for (int i = 0; i < 15; ++i) clock.count(milliseconds{100}, 0);
  EXPECT_FALSE(clock.stalled()) << "the burst is still in the window";
  clock.count(milliseconds{100}, 0);
  EXPECT_TRUE(clock.stalled());
  clock.count(milliseconds{100}, 2000);
  EXPECT_FALSE(clock.stalled());
}

TEST(StallClock, at_rate_zero_any_byte_is_progress) {
  StallClock clock(milliseconds{1600}, 0);
  for (int i = 0; i < 40; ++i) clock.count(milliseconds{100}, i % 16 == 0 ? 1 : 0);
  EXPECT_FALSE(clock.stalled());
  for (int i = 0; i < 16; ++i) clock.count(milliseconds{100}, 0);
  EXPECT_TRUE(clock.stalled());
}

Head head_of(const std::vector<std::string>& lines) {
  Head head;
  for (const auto& line : lines) head.take(line + "\r\n");
  return head;
}

TEST(Head, a_later_status_line_forgets_what_came_before) {
  const Head head = head_of({"HTTP/1.1 100 Continue", "X-A: 1", "", "HTTP/1.1 200 OK", "X-B:  2 ", ""});
  EXPECT_TRUE(head.complete());
  EXPECT_EQ(head.status(), 200);
  EXPECT_FALSE(head.headers().has("x-a"));
  EXPECT_EQ(head.headers().get("x-b"), "2");
}

TEST(Head, a_folded_field_is_one_field) {
  EXPECT_EQ(head_of({"HTTP/1.1 200 OK", "X-A: one", "\ttwo", ""}).headers().get("x-a"), "one two");
}

TEST(Head, is_limited_interim_answers_included) {
  Head head;
  Head::Line last = Head::Line::more;
  for (int i = 0; i < 2000 && last != Head::Line::too_large; ++i)
    last = head.take("HTTP/1.1 100 Continue, again\r\n");
  EXPECT_EQ(head.take(std::string(Head::kMaxBytes, 'x')), Head::Line::too_large);
}

std::string chosen(const std::string& url, const std::map<std::string, std::string>& environment) {
  return proxy_for(Url::parse(url), "env", [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(Proxy, comes_from_the_variable_of_the_scheme) {
  const std::map<std::string, std::string> set{{"http_proxy", "h"}, {"HTTPS_PROXY", "s"}};
  EXPECT_EQ(chosen("http://a.test/", set), "h");
  EXPECT_EQ(chosen("https://a.test/", set), "s");
  EXPECT_EQ(chosen("http://a.test/", {{"HTTP_PROXY", "from a request header"}}), "");
  EXPECT_EQ(chosen("http://a.test/", {{"ALL_PROXY", "all"}}), "all");
}

TEST(Proxy, is_not_used_for_what_no_proxy_names) {
  const auto direct = [](const std::string& url, const std::string& list) {
    return chosen(url, {{"http_proxy", "p"}, {"no_proxy", list}}).empty();
  };
  EXPECT_TRUE(direct("http://a.test/", "*"));
  EXPECT_TRUE(direct("http://a.test/", "b.test, a.test"));
  EXPECT_TRUE(direct("http://x.A.test/", ".a.test"));
  EXPECT_FALSE(direct("http://xa.test/", "a.test"));
  EXPECT_TRUE(direct("http://127.0.0.1/", "127.0.0.1"));
  EXPECT_TRUE(direct("http://10.2.3.4/", "10.0.0.0/8"));
  EXPECT_FALSE(direct("http://11.2.3.4/", "10.0.0.0/8"));
  EXPECT_FALSE(direct("http://a.test/", ""));
}

}  // namespace
}  // namespace penstock::http
