#include "penstock/http/headers.h"

#include <algorithm>
#include <utility>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_token_char(char c) {
  const char small = lower(c);
  return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (same_name(field, name)) return value;
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name) const {
  return find(name).value_or(std::string_view{});
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [field, value] : fields_)
    if (same_name(field, name)) values.push_back(value);
  return values;
}

void Headers::set(std::string_view name, std::string value) {
  remove(name);
  add(std::string(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return same_name(field.first, name); });
}

void check_header(std::string_view name, std::string_view value) {
  const Facts facts{.doing = "check header", .subject = redact_text(name, 80), .code = "header"};
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char))
    throw Error(
        Kind::refused,
        "the header name '" + facts.subject + "' is not a token: letters, digits and !#$%&'*+-.^_`|~ only",
        facts);
  if (!std::all_of(value.begin(), value.end(), is_value_char))
    throw Error(Kind::refused,
                "the value of header " + facts.subject + " holds a line break or another control character",
                facts);
}

}  // namespace penstock::http
