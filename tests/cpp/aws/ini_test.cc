#include "penstock/aws/ini.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::aws {
namespace {

using test::error_of;
using test::TemporaryFolder;

Ini parse(std::string_view text) {
  return parse_ini(text, "config");
}

TEST(Ini, sections_hold_settings) {
  const auto ini = parse("[default]\nregion = eu-west-1\n[profile dev]\nregion=us-west-2\noutput : json\n");
  EXPECT_EQ(ini.at("default").at("region"), "eu-west-1");
  EXPECT_EQ(ini.at("profile dev").at("region"), "us-west-2");
  EXPECT_EQ(ini.at("profile dev").at("output"), "json");
}

TEST(Ini, names_are_trimmed_and_keys_are_lower_case) {
  const auto ini = parse("\xef\xbb\xbf[  profile   Dev ]  # mine\r\n  AWS_Access_Key_ID =  AKID  \r\n");
  EXPECT_EQ(ini.at("profile Dev").at("aws_access_key_id"), "AKID");
}

TEST(Ini, comments_begin_lines_or_follow_white_space) {
  const auto ini =
      parse("# one\n; two\n[a]\nx = 1 # three\ny = 2 ; four\nz = a#b;c\n  # five\nw = '#' \" ;\" #six\n");
  EXPECT_EQ(ini.at("a").at("x"), "1");
  EXPECT_EQ(ini.at("a").at("y"), "2");
  EXPECT_EQ(ini.at("a").at("z"), "a#b;c");
  EXPECT_EQ(ini.at("a").at("w"), "'#' \" ;\"");
}

TEST(Ini, a_comment_sign_in_quotes_belongs_to_the_command) {
  EXPECT_EQ(parse("[a]\ncredential_process = sh -c 'one ; two # three'\n").at("a").at("credential_process"),
            "sh -c 'one ; two # three'");
}

TEST(Ini, deeper_lines_stay_inside_their_setting) {
  const auto ini = parse("[default]\ns3 =\n  region = nested\n\n  max = 3\nregion = top\n");
  EXPECT_EQ(ini.at("default").at("region"), "top");
  EXPECT_EQ(ini.at("default").at("s3"), "\nregion = nested\nmax = 3");
}

TEST(Ini, indented_settings_are_settings) {
  const auto ini = parse("[default]\n  a = 1\n  b = 2\n");
  EXPECT_EQ(ini.at("default").at("a"), "1");
  EXPECT_EQ(ini.at("default").at("b"), "2");
}

TEST(Ini, a_section_again_adds_and_the_later_setting_wins) {
  const auto ini = parse("[a]\nx=1\ny=1\n[b]\n[a]\ny=2\n");
  EXPECT_EQ(ini.at("a").at("x"), "1");
  EXPECT_EQ(ini.at("a").at("y"), "2");
}

TEST(Ini, values_keep_equal_signs_and_may_be_empty) {
  const auto ini = parse("[a]\nx = b=c==\ny =\n");
  EXPECT_EQ(ini.at("a").at("x"), "b=c==");
  EXPECT_EQ(ini.at("a").at("y"), "");
}

TEST(Ini, a_line_that_is_nothing_is_refused_by_number_and_not_quoted) {
  for (const auto* text : {"[a]\nx = 1\ncanary\n", "x = canary\n\n", "\n\n[canary\n", "[a]\n= canary\n"}) {
    const auto error = error_of([&] { parse(text); });
    EXPECT_EQ(error.kind(), Kind::refused);
    EXPECT_NE(error.message().find("config line "), std::string::npos) << error.message();
    EXPECT_EQ(error.message().find("canary"), std::string::npos) << error.message();
  }
}

TEST(Ini, no_input_makes_it_read_past_its_end) {
  const std::string text = "[a b]\nx = '1' # c\n  y\n[\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string part = text.substr(0, size);
    try {
      EXPECT_LE(parse(part).size(), 1u);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::refused);
    }
  }
}

TEST(IniFile, absent_files_folders_and_fifos_are_none) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const auto& path : {folder / "absent", folder.path(), folder / "fifo", std::string{}})
    EXPECT_FALSE(read_ini(path).has_value()) << path;
}

TEST(IniFile, what_failed_before_says_nothing_of_a_folder) {
  const TemporaryFolder folder;
  errno = EACCES;
  EXPECT_FALSE(read_ini(folder.path()).has_value());
}

TEST(IniFile, over_the_limit_is_refused) {
  const TemporaryFolder folder;
  const std::string head = "[default]\nx = 1\n#";
  test::write_file(folder / "most", head + std::string(kMaxIniBytes - head.size(), 'x'));
  test::write_file(folder / "over", head + std::string(kMaxIniBytes - head.size() + 1, 'x'));
  EXPECT_EQ(read_ini(folder / "most")->at("default").at("x"), "1");
  const auto error = error_of([&] { read_ini(folder / "over"); });
  EXPECT_EQ(error.kind(), Kind::refused);
  EXPECT_EQ(error.facts().code, code::kTooLarge);
}

}  // namespace
}  // namespace penstock::aws
