// The Error a call throws, as a value to make claims about.
#pragma once

#include <optional>
#include <stdexcept>
#include <utility>

#include "penstock/base/error.h"

namespace penstock::test {

template <typename Call>
std::optional<Error> error_from(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

template <typename Call>
Error error_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("nothing was thrown");
}

}  // namespace penstock::test
