// A client that looks at its clocks often and asks no proxy.
#pragma once

#include <chrono>
#include <memory>

#include "penstock/http/client.h"

namespace penstock::test {

inline std::shared_ptr<http::Client> quick_client(http::ClientOptions options = {}) {
  options.proxy = "";
  options.tick = std::chrono::milliseconds{10};
  return std::make_shared<http::Client>(options);
}

}  // namespace penstock::test
