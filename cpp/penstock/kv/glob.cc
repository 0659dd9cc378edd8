#include "penstock/kv/glob.h"

#include <algorithm>
#include <utility>

namespace penstock::kv {
namespace {

char taken(std::string_view& rest) {
  const char byte = rest.front();
  rest.remove_prefix(1);
  return byte;
}

std::size_t place(char byte) {
  return static_cast<unsigned char>(byte);
}

}  // namespace

Glob::Set Glob::one(char byte) {
  Set set;
  set.set(place(byte));
  return set;
}

// `rest` starts behind the `[`, and is left behind the `]`.
Glob::Set Glob::read_class(std::string_view& rest) {
  const bool none_of = rest.starts_with('^');
  if (none_of) rest.remove_prefix(1);
  Set set;
  while (!rest.empty()) {
    const char first = taken(rest);
    if (first == ']') break;
    if (first == '\\' && !rest.empty()) {
      set |= one(taken(rest));
    } else if (rest.size() >= 2 && rest[0] == '-') {
      const auto [low, high] = std::minmax({place(first), place(rest[1])});
      for (std::size_t byte = low; byte <= high; ++byte) set.set(byte);
      rest.remove_prefix(2);
    } else {
      set |= one(first);
    }
  }
  return none_of ? ~set : set;
}

Glob::Glob(std::string_view pattern) {
  bool literal = true;
  while (!pattern.empty()) {
    const char byte = taken(pattern);
    if (byte == '*') {
      literal = false;
      if (tokens_.empty() || !tokens_.back().run) tokens_.push_back({.run = true});
    } else if (byte == '?') {
      literal = false;
      tokens_.push_back({.bytes = Set{}.set()});
    } else if (byte == '[') {
      literal = false;
      tokens_.push_back({.bytes = read_class(pattern)});
    } else {
      const char meant = byte == '\\' && !pattern.empty() ? taken(pattern) : byte;
      if (literal) prefix_ += meant;
      tokens_.push_back({.bytes = one(meant)});
    }
  }
}

// On a mismatch only the last `*` need take one byte more: what an earlier one could do, the last can too.
bool Glob::matches(std::string_view text) const {
  std::size_t token = 0, at = 0;
  std::size_t run = tokens_.size(), run_at = 0;  // the last `*` seen, and where what it takes ends
  while (at < text.size()) {
    if (token < tokens_.size() && tokens_[token].run) {
      run = token++;
      run_at = at;
    } else if (token < tokens_.size() && tokens_[token].bytes[place(text[at])]) {
      ++token, ++at;
    } else if (run < tokens_.size()) {
      token = run + 1;
      at = ++run_at;
    } else {
      return false;
    }
  }
  while (token < tokens_.size() && tokens_[token].run) ++token;
  return token == tokens_.size();
}

std::string escape_glob(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    if (std::string_view{"*?[]\\^-"}.find(byte) != std::string_view::npos) escaped += '\\';
    escaped += byte;
  }
  return escaped;
}

}  // namespace penstock::kv
