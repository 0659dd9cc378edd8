#include "penstock/aws/shell_split.h"

#include <optional>

#include "penstock/base/error.h"

namespace penstock::aws {
namespace {

[[noreturn]] void refuse(const char* why) {
  throw Error{Kind::refused, std::string{"command line: "} + why, {.doing = "split a command line"}};
}

// Appends what stands between the quotes; returns where the closing one is.
std::size_t take_quoted(std::string_view line, std::size_t at, std::string& word) {
  const char quote = line[at];
  for (++at; at < line.size() && line[at] != quote; ++at) {
    const bool escapes = quote == '"' && line[at] == '\\' && at + 1 < line.size() &&
                         (line[at + 1] == '"' || line[at + 1] == '\\');
    if (escapes) ++at;
    word += line[at];
  }
  if (at >= line.size()) refuse("a quote is not closed");
  return at;
}

}  // namespace

std::vector<std::string> shell_split(std::string_view line) {
  std::vector<std::string> words;
  std::optional<std::string> word;  // "" is a word too: ''
  const auto end_word = [&] {
    if (word) words.push_back(std::move(*word));
    word.reset();
  };
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      end_word();
      continue;
    }
    if (!word) word.emplace();
    if (c == '\'' || c == '"') {
      at = take_quoted(line, at, *word);
    } else if (c == '\\') {
      if (++at == line.size()) refuse("it ends in a backslash");
      *word += line[at];
    } else {
      *word += c;
    }
  }
  end_word();
  return words;
}

}  // namespace penstock::aws
