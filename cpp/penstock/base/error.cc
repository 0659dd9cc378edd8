#include "penstock/base/error.h"

#include <utility>

namespace penstock {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::missing:
      return "missing";
    case Kind::denied:
      return "denied";
    case Kind::refused:
      return "refused";
    case Kind::conflict:
      return "conflict";
    case Kind::corrupt:
      return "corrupt";
    case Kind::busy:
      return "busy";
    case Kind::lost:
      return "lost";
    case Kind::in_doubt:
      return "in_doubt";
    case Kind::cancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string_view to_string(Side side) {
  switch (side) {
    case Side::none:
      return "none";
    case Side::source:
      return "source";
    case Side::sink:
      return "sink";
  }
  return "unknown";
}

Error::Error(Kind kind, std::string message, Facts facts)
    : kind_(kind), message_(std::move(message)), facts_(std::move(facts)) {}

}  // namespace penstock
