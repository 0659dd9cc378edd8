#include "penstock/base/redact.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace penstock {
namespace {

constexpr std::string_view kHidden = "***";
constexpr std::size_t kMaxUrlBytes = 2048;

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_name_char(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_';
}

// "X-Amz-Security-Token" -> "xamzsecuritytoken": one spelling for headers, queries, JSON and environments.
std::string canonical(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != '-' && c != '_') result += lower(c);
  }
  return result;
}

// Names whose value may hold spaces and ends with the line.
bool names_whole_line(std::string_view canonical_name) {
  return canonical_name.ends_with("authorization") || canonical_name.ends_with("cookie");
}

// Too much hidden is a poorer message; too little is a leak.
bool is_secret_name(std::string_view canonical_name) {
  constexpr std::array kParts = {"signature", "credential",  "token",  "secret",     "password",
                                 "passwd",    "accesskeyid", "apikey", "customerkey"};
  return names_whole_line(canonical_name) || canonical_name == "sig" ||
         std::any_of(kParts.begin(), kParts.end(), [&](std::string_view part) {
           return canonical_name.find(part) != std::string_view::npos;
         });
}

// What stands between a name and its value: `=`, `: `, `": "`, `>`, an escaped `%3D`. Empty if nothing does.
std::string_view separator(std::string_view text) {
  std::size_t at = 0;
  const auto skip = [&](std::string_view set) {
    while (at < text.size() && is_one_of(text[at], set)) ++at;
  };
  skip("\\\"' ");
  const auto mark = text.substr(at, 3);
  if (mark == "%3D" || mark == "%3d" || mark == "%3A" || mark == "%3a") return text.substr(0, at + 3);
  if (mark.empty() || !is_one_of(mark.front(), ":=>")) return {};
  ++at;
  skip(" \t\\");
  return text.substr(0, at);
}

std::size_t value_size(std::string_view text, bool whole_line) {
  const char quote = !text.empty() && is_one_of(text.front(), "\"'") ? text.front() : '\0';
  if (quote != '\0') {
    std::size_t at = 1;
    while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
    return std::min(at + 1, text.size());
  }
  return std::min(text.find_first_of(whole_line ? "\r\n" : " \t\r\n&,;<>\"'(){}[]|"), text.size());
}

// Hides `user:password` of any `://user:password@` in front of `text`; returns how much it took.
std::size_t userinfo_size(std::string_view text) {
  const auto end = std::min(text.find_first_of(" \t\r\n/?#\"'<>"), text.size());
  const auto at = text.substr(0, end).rfind('@');
  return at == std::string_view::npos ? 0 : at;
}

// A code point's length in bytes and value; length 0 when the bytes are not UTF-8.
struct CodePoint {
  std::size_t size = 0;
  std::uint32_t value = 0;
};

CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, first};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return {};
  std::uint32_t value = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = value < (size == 2 ? 0x80U : size == 3 ? 0x800U : 0x10000U);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return overlong || surrogate || value > 0x10ffff ? CodePoint{} : CodePoint{size, value};
}

// Controls, line separators and marks that turn the direction of what follows: all can forge a log line.
bool is_unprintable(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || (c >= 0x200e && c <= 0x200f) ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

// The next character of `text`, made visible if it would not be; removes it from `text`.
std::string take_visible(std::string_view& text) {
  const CodePoint point = decode(text);
  const auto raw = text.substr(0, std::max<std::size_t>(point.size, 1));
  text.remove_prefix(raw.size());
  if (point.size == 0) return fmt::format("\\x{:02x}", static_cast<unsigned char>(raw.front()));
  if (point.value == '\n') return "\\n";
  if (point.value == '\r') return "\\r";
  if (point.value == '\t') return "\\t";
  if (!is_unprintable(point.value)) return std::string{raw};
  return point.value < 0x80 ? fmt::format("\\x{:02x}", point.value) : fmt::format("\\u{:04x}", point.value);
}

// Text that grows up to a limit, and then ends in "...", between two characters.
class Line {
 public:
  explicit Line(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  bool full() const { return full_; }

  // Takes `piece` whole or not at all.
  void add(std::string_view piece) {
    if (full_) return;
    if (text_.size() + piece.size() > max_bytes_) {
      full_ = true;
      return;
    }
    text_ += piece;
    if (text_.size() + kEllipsis.size() <= max_bytes_) fits_with_ellipsis_ = text_.size();
  }
  void add_visible(std::string_view text) {
    while (!text.empty() && !full_) add(take_visible(text));
  }
  std::string take() {
    if (!full_) return std::move(text_);
    text_.resize(fits_with_ellipsis_);
    return text_ += kEllipsis.substr(0, max_bytes_);
  }

 private:
  static constexpr std::string_view kEllipsis = "...";
  std::size_t max_bytes_, fits_with_ellipsis_ = 0;
  std::string text_;
  bool full_ = false;
};

// Moves a name and, if that is secret, its value from `text` to `line`, the value hidden.
void take_word(std::string_view& text, Line& line) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_name_char);
  const auto name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  line.add_visible(name);
  text.remove_prefix(name.size());

  const std::string known = canonical(name);
  const bool bearer = known == "bearer" && text.starts_with(' ');
  const auto between = bearer                  ? text.substr(0, 1)
                       : is_secret_name(known) ? separator(text)
                                               : std::string_view{};
  if (between.empty()) return;
  line.add_visible(between);
  text.remove_prefix(between.size());
  const auto hidden = value_size(text, names_whole_line(known));
  if (hidden > 0) line.add(kHidden);
  text.remove_prefix(hidden);
}

}  // namespace

bool names_secret(std::string_view name) {
  return is_secret_name(canonical(name));
}

std::string redact_url(std::string_view url) {
  const auto end = std::min(url.find_first_of("?#"), url.size());
  std::string result{url.substr(0, end)};
  const auto scheme = result.find("://");
  if (scheme != std::string::npos) {
    const auto authority = scheme + 3;
    const auto userinfo = userinfo_size(std::string_view{result}.substr(authority));
    if (userinfo > 0) result.erase(authority, userinfo + 1);
  }
  return redact_text(result, kMaxUrlBytes);
}

std::string redact_text(std::string_view text, std::size_t max_bytes) {
  Line line{max_bytes};
  while (!text.empty() && !line.full()) {
    if (is_name_char(text.front())) {
      take_word(text, line);
    } else if (text.starts_with("://")) {
      text.remove_prefix(3);
      line.add("://");
      const auto userinfo = userinfo_size(text);
      if (userinfo > 0) line.add(kHidden);
      text.remove_prefix(userinfo);
    } else {
      line.add(take_visible(text));
    }
  }
  return line.take();
}

std::string mask(std::string_view secret) {
  constexpr std::size_t kShown = 4;
  // A third of a short secret would be too much of it.
  if (secret.size() < 4 * kShown) return std::string{kHidden};
  return redact_text(secret.substr(0, kShown)) + std::string{kHidden};
}

}  // namespace penstock
