#include "penstock/aws/ini.h"

#include <algorithm>

#include <fmt/format.h>

#include "penstock/aws/small_file.h"
#include "penstock/base/error.h"

namespace penstock::aws {
namespace {

constexpr std::string_view kBlank = " \t\r\v\f";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string collapse_blanks(std::string_view text) {
  std::string out;
  for (char c : trim(text)) {
    const bool blank = kBlank.find(c) != std::string_view::npos;
    if (!blank)
      out += c;
    else if (out.back() != ' ')
      out += ' ';
  }
  return out;
}

// Quotes protect: credential_process = sh -c 'first ; second' has no comment.
std::string_view without_comment(std::string_view value) {
  char quote = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if ((c == '#' || c == ';') && i > 0 && kBlank.find(value[i - 1]) != std::string_view::npos) {
      return trim(value.substr(0, i));
    }
  }
  return value;
}

class Parser {
 public:
  explicit Parser(const std::string& subject) : subject_(subject) {}

  void line(std::string_view raw) {
    ++number_;
    const auto text = trim(raw);
    if (text.empty() || text.front() == '#' || text.front() == ';') return;
    const auto indent = raw.find_first_not_of(kBlank);
    if (value_ && indent > indent_)
      value_->append("\n").append(without_comment(text));
    else if (text.front() == '[')
      header(text);
    else
      property(text, indent);
  }
  Ini take() { return std::move(ini_); }

 private:
  [[noreturn]] void refuse(const char* why) const {
    throw Error{Kind::refused,
                fmt::format("{} line {}: {}", subject_, number_, why),
                {.doing = "read configuration", .subject = subject_}};
  }

  void header(std::string_view text) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) refuse("a section name that is not closed by ]");
    section_ = &ini_[collapse_blanks(text.substr(1, end - 1))];
    value_ = nullptr;
  }

  void property(std::string_view text, std::size_t indent) {
    if (!section_) refuse("a setting before the first [section]");
    const auto sign = text.find_first_of("=:");
    if (sign == std::string_view::npos || sign == 0) refuse("neither [section] nor key = value");
    value_ = &(*section_)[lower(trim(text.substr(0, sign)))];
    *value_ = without_comment(trim(text.substr(sign + 1)));
    indent_ = indent;
  }

  const std::string& subject_;
  Ini ini_;
  std::size_t number_ = 0, indent_ = 0;
  IniSection* section_ = nullptr;
  std::string* value_ = nullptr;  // of the last key, which indented lines go on with
};

}  // namespace

Ini parse_ini(std::string_view text, const std::string& subject) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Parser parser{subject};
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    parser.line(text.substr(at, end - at));
    at = end + 1;
  }
  return parser.take();
}

std::optional<Ini> read_ini(const std::string& path) {
  const auto text = read_small_file(path, kMaxIniBytes);
  if (!text) return std::nullopt;
  return parse_ini(*text, path);
}

}  // namespace penstock::aws
