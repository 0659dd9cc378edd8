// What every fuzzer states: the claims about a parser, and that it fails by Error alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "penstock/base/error.h"

namespace penstock::fuzz {

inline void claim(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// What `parse` returns, or nullopt if it refused. Any other exception ends the fuzzer.
template <class Parse>
auto parsed(Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Error& error) {
    claim(error.kind() == Kind::refused || error.kind() == Kind::corrupt, "input is refused or corrupt");
    claim(!error.message().empty(), "an error says something");
    return std::nullopt;
  }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Of a name in an archive: what no reader may give.
inline bool leads_out(std::string_view name) {
  return name.empty() || name.front() == '/' || name == ".." || name.starts_with("../") ||
         name.find("/../") != name.npos || name.ends_with("/..") || name.find('\\') != name.npos ||
         name.find('\0') != name.npos;
}

}  // namespace penstock::fuzz
