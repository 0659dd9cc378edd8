#include "penstock/http/head.h"

#include <charconv>
#include <string>

namespace penstock::http {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Head::Line Head::take(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > kMaxBytes) return Line::too_large;
  if (complete_) return Line::more;
  if (line.starts_with("HTTP/")) {
    status_line(line);
  } else if (!trimmed(line).empty()) {
    field(line);
  } else if (status_ >= 200 || status_ == 101) {
    keep();
    complete_ = true;
    return Line::complete;
  }
  return Line::more;
}

void Head::status_line(std::string_view line) {
  headers_ = {};
  name_.clear();
  status_ = 0;
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return;
  std::from_chars(line.data() + space + 1, line.data() + line.size(), status_);
}

// A line that begins with a space continues the one before (RFC 9112 section 5.2); one without a colon is
// dropped.
void Head::field(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    value_.append(" ").append(trimmed(line));
    return;
  }
  keep();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  name_ = trimmed(line.substr(0, colon));
  value_ = trimmed(line.substr(colon + 1));
}

void Head::keep() {
  if (!name_.empty()) headers_.add(std::move(name_), std::move(value_));
  name_.clear();
  value_.clear();
}

}  // namespace penstock::http
