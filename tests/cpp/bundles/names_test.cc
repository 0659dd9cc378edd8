#include "penstock/bundles/names.h"

#include <cstdint>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace penstock::bundles {
namespace {

TEST(Names, are_made_of_the_urls_path) {
  const std::map<std::string, std::string> expected{
      {"https://api.example.com/v1/siren?page=1", "v1_siren"},
      {"https://h/a/b.csv#part", "a_b.csv"},
      {"https://h/d/x.zip/a/b.csv?id=1", "d_x.zip_a_b.csv"},
      {"https://h", "index.html"},
      {"https://h/", "index.html"},
      {"", "index.html"},
      {"/a b/c", "a_b_c"},
      {"not a url", "not_a_url"},
      {"urn:isbn:0451450523", "isbn_0451450523"},
      {"bundle:///id/bundle.zip", "id_bundle.zip"},
      {"https://h/caf%C3%A9", "caf_C3_A9"},
      {"https://h/caf\xc3\xa9-\xe4\xb8\xad", "caf\xc3\xa9-\xe4\xb8\xad"},
      {"https://h/\xff\xfe", "__"},
      {"https://h/.", "_"},
      {"https://h/..", "__"},
      {"https://h/x.meta", "x.meta_"},
      {"https://h/bundle", "bundle_"},
      {"https://h/bundle.manifest", "bundle.manifest_"},
      {"https://h/con", "_con"},
      {"https://h/Nul.txt", "_Nul.txt"},
      {"https://h/com1.tar.gz", "_com1.tar.gz"},
      {"https://h/com0", "com0"},
      {"https://h/\xe2\x82\xac", "_"}};
  for (const auto& [url, name] : expected) EXPECT_EQ(resource_name(url), name) << url;
}

TEST(Names, of_a_broken_url_take_all_of_it) {
  EXPECT_EQ(resource_name("https://[::1/p?q=1"), "https______1_p_q_1");
}

TEST(Names, over_200_bytes_are_cut_and_keep_their_extension) {
  const std::string url = "https://h/" + std::string(300, 'x') + ".json";
  const std::string name = resource_name(url);
  EXPECT_EQ(name.size(), 200u);
  EXPECT_TRUE(name.ends_with("~" + sha256_hex(url, 12) + ".json")) << name;
  const std::string wide = "https://h/" + [] {
    std::string text;
    for (int i = 0; i < 150; ++i) text += "\xc3\xa9";
    return text;
  }();
  EXPECT_LE(resource_name(wide).size(), 200u);  // cut between characters
  EXPECT_EQ(resource_name(wide).find('\xc3', resource_name(wide).find('~')), std::string::npos);
}

TEST(Names, that_are_taken_get_a_suffix_in_the_order_of_the_calls) {
  NameBook names;
  const std::string first = "https://api.example.com/v1/siren?page=1",
                    second = "https://api.example.com/v1/siren?page=2";
  EXPECT_EQ(names.take("v1_siren", first), "v1_siren");
  EXPECT_EQ(names.take("v1_siren", second), "v1_siren~06448de2");
  EXPECT_EQ(names.take("v1_siren", second), "v1_siren~06448de2-2");
  EXPECT_EQ(names.take("v1_siren", second), "v1_siren~06448de2-3");
  EXPECT_EQ(names.take("a.csv", "u"), "a.csv");
  EXPECT_EQ(names.take("a.csv", "u"), "a~" + sha256_hex("u", 8) + ".csv");
}

TEST(Names, are_cut_only_where_they_are_to_be) {
  const std::string name = std::string(300, 'n') + ".csv", mark = "~" + sha256_hex("u", 8);
  NameBook names;
  EXPECT_EQ(names.take(name, "u").size(), kMaxNameBytes);
  NameBook whole;
  EXPECT_EQ(whole.take(name, "u", SIZE_MAX), name);
  EXPECT_EQ(whole.take(name, "u", SIZE_MAX), std::string(300, 'n') + mark + ".csv");
  EXPECT_EQ(whole.take(name, "u", SIZE_MAX), std::string(300, 'n') + mark + "-2.csv");
}

TEST(Names, given_back_may_be_taken_again) {
  NameBook names;
  for (int i = 0; i < 1000; ++i) names.take("n" + std::to_string(i), "u");
  for (int i = 0; i < 1000; i += 3) names.give_back("n" + std::to_string(i));
  names.give_back("never taken");
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "n" + std::to_string(i);
    EXPECT_EQ(names.take(name, "u") == name, i % 3 == 0) << i;
  }
}

TEST(Names, after_clear_all_of_them_are_free) {
  NameBook names;
  for (int i = 0; i < 1000; ++i) names.take("n" + std::to_string(i), "u");
  names.clear();
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(names.take("n" + std::to_string(i), "u"), "n" + std::to_string(i));
  EXPECT_NE(names.take("n0", "u"), "n0");
}

TEST(Names, of_500_urls_are_distinct_short_and_the_same_again) {
  std::vector<std::string> urls{"", "/", "https://h/a/b", "https://h/a_b", "https://h/a?b"};
  for (int i = 0; urls.size() < 500; ++i) {
    urls.push_back("https://h/page?page=" + std::to_string(i));
    urls.push_back("https://h/" + std::string(static_cast<std::size_t>(150 + i % 100), 'y') +
                   ".csv?n=" + std::to_string(i));
  }
  const auto all = [&urls] {
    NameBook names;
    std::vector<std::string> taken;
    for (const auto& url : urls) taken.push_back(names.take(resource_name(url), url));
    return taken;
  };
  const auto once = all();
  EXPECT_EQ(once, all());
  EXPECT_EQ(std::set<std::string>(once.begin(), once.end()).size(), urls.size());
  for (const auto& name : once) EXPECT_LE(name.size() + 5, 205u) << name;
}

TEST(Names, one_url_a_hundred_thousand_times_takes_no_quadratic_time) {
  NameBook names;
  std::string last;
  for (int i = 0; i < 100'000; ++i) last = names.take("x", "https://h/x");
  EXPECT_TRUE(last.ends_with("-99999")) << last;
}

TEST(Names, by_basename_are_the_existing_fetchers) {
  EXPECT_EQ(resource_basename("https://h/a/b.csv?x=1"), "b.csv");
  EXPECT_EQ(resource_basename("https://h/a/"), sha256_hex("https://h/a/", 8));
  EXPECT_EQ(resource_basename("https://h"), "");
}

TEST(Names, of_bundles_and_recipes_lead_nowhere_else) {
  EXPECT_EQ(safe_part("test-../../x"), "test-..%2F..%2Fx");
  EXPECT_EQ(safe_part("."), "%2E");
  EXPECT_EQ(safe_part(".."), "%2E%2E");
  EXPECT_EQ(safe_part(""), "%");
  EXPECT_EQ(safe_part("custom-\xc3\xa9 1"), "custom-%C3%A9%201");
  const std::string longer(181, 'b');
  EXPECT_EQ(safe_part(std::string(180, 'b')), std::string(180, 'b'));
  EXPECT_EQ(safe_part(longer), longer.substr(0, 140) + "~" + sha256_hex(longer, 16));
}

}  // namespace
}  // namespace penstock::bundles
