#include "penstock/bundles/conflict.h"

#include <string_view>

#include <fmt/format.h>

#include "penstock/bundles/bundle.h"

namespace penstock::bundles {
namespace {

Error conflict(const std::string& bid, std::string_view already, std::string_view code) {
  return {Kind::conflict,
          fmt::format("Bundle {} already {}", bid, already),
          {.side = Side::sink, .doing = "start a bundle", .subject = bid, .code = std::string{code}}};
}

}  // namespace

Error already_open(const std::string& bid) {
  return conflict(bid, "open", code::kAlreadyOpen);
}

Error already_completed(const std::string& bid) {
  return conflict(bid, "completed", code::kAlreadyCompleted);
}

}  // namespace penstock::bundles
