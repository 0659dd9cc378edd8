#include "penstock/store/nothing_at.h"

#include <utility>

#include <fmt/format.h>

namespace penstock::store {

Error nothing_at(const std::string& location, std::string doing) {
  return {Kind::missing,
          fmt::format("nothing is at {}", location),
          {.side = Side::source, .doing = std::move(doing), .subject = location, .code = "NoSuchKey"}};
}

}  // namespace penstock::store
