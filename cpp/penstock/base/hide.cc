#include "penstock/base/hide.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace penstock {
namespace {

constexpr std::string_view kHidden = "***";
constexpr std::string_view kCut = "...";

// A byte that the front of a text stands for, and how many bytes of the text do.
struct Meant {
  char byte = '\0';
  std::size_t size = 0;  // 0: no escape
};

Meant number(std::string_view digits, int base, std::size_t size) {
  unsigned value = 0;
  const auto end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value, base);
  if (read.ec != std::errc{} || read.ptr != end || value > 0xff) return {};
  return {static_cast<char>(value), size};
}

// &amp; &#38; &#x26;
Meant character_reference(std::string_view text) {
  constexpr std::pair<std::string_view, char> kNamed[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
  for (const auto& [name, byte] : kNamed) {
    if (text.starts_with(name)) return {byte, name.size()};
  }
  const auto end = text.find(';');
  if (!text.starts_with("&#") || end == text.npos || end > 8 || end < 3) return {};
  const bool hex = text[2] == 'x' || text[2] == 'X';
  return hex ? number(text.substr(3, end - 3), 16, end + 1) : number(text.substr(2, end - 2), 10, end + 1);
}

Meant escape(std::string_view text) {
  if (text.starts_with('%')) return text.size() < 3 ? Meant{} : number(text.substr(1, 2), 16, 3);
  if (text.starts_with('&')) return character_reference(text);
  if (!text.starts_with('\\') || text.size() < 2) return {};
  if (text[1] == 'u') return text.size() < 6 ? Meant{} : number(text.substr(2, 4), 16, 6);
  return {text[1], 2};
}

// How much of the front of `text` is the secret, or all that a cut left of it; 0 if it is not.
std::size_t size_of(std::string_view secret, std::string_view text) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const auto rest = text.substr(at);
    if (i >= kShortestSecret && (rest.empty() || rest.starts_with(kCut))) return at;
    if (rest.empty()) return 0;
    const Meant meant = escape(rest);
    if (meant.size > 0 && meant.byte == secret[i]) {
      at += meant.size;
    } else if (rest.front() == secret[i]) {
      ++at;
    } else {
      return 0;
    }
  }
  return at;
}

std::size_t longest_secret(std::span<const std::string> secrets, std::string_view text) {
  std::size_t longest = 0;
  for (const std::string& secret : secrets) {
    if (secret.size() >= kShortestSecret) longest = std::max(longest, size_of(secret, text));
  }
  return longest;
}

}  // namespace

std::string hide(std::string_view text, std::span<const std::string> secrets) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const std::size_t hidden = longest_secret(secrets, text);
    shown += hidden > 0 ? kHidden : text.substr(0, 1);
    text.remove_prefix(std::max<std::size_t>(hidden, 1));
  }
  return shown;
}

Error hide(Error error, std::span<const std::string> secrets) {
  if (secrets.empty()) return error;
  Facts facts = error.facts();
  for (std::string* text : {&facts.doing, &facts.subject, &facts.code, &facts.request_id, &facts.host_id,
                            &facts.upload_id, &facts.expected, &facts.actual})
    *text = hide(*text, secrets);
  if (facts.cause) facts.cause = std::make_shared<Error>(hide(*facts.cause, secrets));
  return Error{error.kind(), hide(error.message(), secrets), std::move(facts)};
}

}  // namespace penstock
