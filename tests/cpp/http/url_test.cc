#include "penstock/http/url.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace penstock::http {
namespace {

using test::error_from;

TEST(Url, is_taken_apart_and_never_normalised) {
  const Url url = Url::parse("HTTPS://Example.ORG:8443//a/./b/../%2e%2E/c?x=1&y=%20#part");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "example.org");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "//a/./b/../%2e%2E/c");
  EXPECT_EQ(url.query, "x=1&y=%20");
  EXPECT_FALSE(url.has_userinfo);
  EXPECT_EQ(url.text(), "https://example.org:8443//a/./b/../%2e%2E/c?x=1&y=%20");
  EXPECT_EQ(url.display(), "https://example.org:8443//a/./b/../%2e%2E/c");
}

TEST(Url, default_ports_are_filled_in_and_left_out_of_the_host_header) {
  EXPECT_EQ(Url::parse("http://h").port, 80);
  EXPECT_EQ(Url::parse("https://h:/x").port, 443);
  EXPECT_EQ(Url::parse("https://h:443/x").host_header(), "h");
  EXPECT_EQ(Url::parse("http://h:443/x").host_header(), "h:443");
  EXPECT_EQ(Url::parse("http://h").origin(), "http://h:80");
  EXPECT_EQ(Url::parse("http://h?q").text(), "http://h/?q");
}

TEST(Url, ipv6_hosts_lose_their_brackets_and_get_them_back) {
  const Url url = Url::parse("http://[0:0::FFFF:127.0.0.1]:81/x");
  EXPECT_TRUE(url.ipv6);
  EXPECT_EQ(url.host, "::ffff:127.0.0.1");
  EXPECT_EQ(url.host_header(), "[::ffff:127.0.0.1]:81");
  EXPECT_EQ(url.origin(), "http://[::ffff:127.0.0.1]:81");
}

TEST(Url, every_spelling_of_an_ipv4_number_is_the_same_host) {
  for (const char* host :
       {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0X7F.0.0.1", "0177.0.0.1", "127.0.1"})
    EXPECT_EQ(Url::parse(std::string("http://") + host + "/").host, "127.0.0.1") << host;
}

TEST(Url, userinfo_is_noticed_and_never_written) {
  const Url url = Url::parse("https://user:hunter2@h@real.example/p");
  EXPECT_TRUE(url.has_userinfo);
  EXPECT_EQ(url.host, "real.example");
  EXPECT_EQ(url.text(), "https://real.example/p");
}

TEST(Url, what_cannot_be_fetched_is_refused) {
  for (const char* text : {"",
                           "h",
                           "/p",
                           "//h/p",
                           "ftp://h/",
                           "file:///etc/passwd",
                           "http:/h",
                           "http:h",
                           "http://",
                           "http:///p",
                           "http://:80/",
                           "http://h:0/",
                           "http://h:65536/",
                           "http://h:8o/",
                           "http://h:80:80/",
                           "http://h:-1/",
                           "http://h:+80/",
                           "http://[::1/",
                           "http://[::1]x/",
                           "http://[::1%25lo]/",
                           "http://[1.2.3.4]/",
                           "http://a b/",
                           "http://h/a b",
                           "http://h/\r\nX: 1",
                           "http://h/\x7f",
                           "http://h/\t",
                           "http://.h/",
                           "http://a..b/",
                           "http://1.2.3.4.5/",
                           "http://256.1.1.1/",
                           "http://0x1g.0x7fffffffff/",
                           "http://h%2ex/",
                           "http://h\\@evil/",
                           "http://h,evil/",
                           "http://b\xc3\xbc"
                           "cher.example/",
                           "http://@/",
                           "1http://h/"}) {
    const auto error = error_from([&] { Url::parse(text); });
    ASSERT_TRUE(error.has_value()) << text;
    EXPECT_EQ(error->kind(), Kind::refused) << text;
  }
}

TEST(Url, a_nul_or_an_endless_url_is_refused) {
  using namespace std::string_view_literals;
  EXPECT_EQ(error_from([] { Url::parse("http://h/\0x"sv); })->kind(), Kind::refused);
  EXPECT_EQ(error_from([] { Url::parse("http://h/" + std::string(65536, 'a')); })->kind(), Kind::refused);
  EXPECT_EQ(Url::parse("http://h/" + std::string(65536 - 9, 'a')).path.size(), 65536u - 8);
}

TEST(Url, a_refusal_shows_neither_userinfo_nor_query) {
  const auto error = error_from([] { Url::parse("http://me:hunter2@h:99999/p?token=hunter2"); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(std::string(error->what()).find("hunter2"), std::string::npos) << error->what();
  EXPECT_EQ(error->facts().subject.find("hunter2"), std::string::npos) << error->facts().subject;
}

TEST(Url, text_is_parsed_to_the_same_url) {
  for (const char* text : {"http://h", "https://h:444/a//b?c=d?e", "http://[2001:db8::1]/",
                           "http://0x7f.1:8/", "http://h.example./%00?", "http://u:p@h/x#y"}) {
    const std::string once = Url::parse(text).text();
    EXPECT_EQ(Url::parse(once).text(), once) << text;
  }
}

// RFC 3986 section 5.4, with http's rules for other schemes; absolute paths keep their dots.
TEST(Resolve, follows_the_references_of_rfc_3986) {
  const Url base = Url::parse("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> cases[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"/a/../b", "http://a/a/../b"},
      {"https://z:1/./q", "https://z:1/./q"},
      {"/sp ace", "http://a/sp%20ace"},
      {"\xc3\xa9", "http://a/b/c/%C3%A9"},
  };
  for (const auto& [reference, wanted] : cases)
    EXPECT_EQ(resolve(base, reference).text(), wanted) << reference;
}

TEST(Resolve, foreign_schemes_and_control_characters_are_refused) {
  const Url base = Url::parse("http://a/b");
  for (const char* location :
       {"ftp://x/", "file:///etc/passwd", "javascript:alert(1)", "a:b", "/x\r\ny", "//", "//:1"})
    EXPECT_EQ(error_from([&] { resolve(base, location); })->kind(), Kind::refused) << location;
}

TEST(PercentCoding, encodes_all_but_unreserved_and_decodes_back) {
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  EXPECT_EQ(percent_encode("a b/c~\xff+", true), "a%20b/c~%FF%2B");
  EXPECT_EQ(percent_encode("a/b", false), "a%2Fb");
  EXPECT_EQ(percent_decode(percent_encode(every, false)), every);
}

TEST(PercentCoding, bad_escapes_stay_as_they_are) {
  for (const char* text : {"%", "%2", "%zz", "%2g", "a%"}) EXPECT_EQ(percent_decode(text), text);
  EXPECT_EQ(percent_decode("%2fX%2F%"), "/X/%");
}

}  // namespace
}  // namespace penstock::http
