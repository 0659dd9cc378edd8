#include "penstock/http/trust_store.h"

#include <algorithm>

#include <unistd.h>

namespace penstock::http {
namespace {

bool is_readable(const char* path) {
  return ::access(path, R_OK) == 0;
}

}  // namespace

std::string trust_store(const char* built_in, std::span<const char* const> places) {
  if (built_in && is_readable(built_in)) return {};
  const auto found = std::ranges::find_if(places, is_readable);
  return found == places.end() ? std::string{} : std::string{*found};
}

}  // namespace penstock::http
