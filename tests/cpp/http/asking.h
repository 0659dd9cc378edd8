// What the client's tests share: short ways to ask and to read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "penstock/http/client.h"

#include "support/scripted_server.h"

namespace penstock::test {

inline http::Request get(std::string url, http::Headers headers = {}) {
  return {.method = "GET",
          .url = std::move(url),
          .headers = std::move(headers),
          .secret_headers = {},
          .body = {}};
}

inline http::Request put(std::string url, std::string body) {
  return {.method = "PUT",
          .url = std::move(url),
          .headers = {},
          .secret_headers = {},
          .body = http::text_payload(std::move(body))};
}

inline http::Request post(std::string url, std::string body) {
  http::Request request = put(std::move(url), std::move(body));
  request.method = "POST";
  return request;
}

inline std::string read_all(Source& source, std::size_t step = 64 * 1024) {
  std::string all;
  std::vector<std::byte> buffer(step);
  while (const std::size_t count = source.read(buffer)) all.append(as_text(Bytes(buffer).first(count)));
  return all;
}

// A client whose clocks are short enough to be waited for, and that uses no proxy.
inline http::ClientOptions quick() {
  http::ClientOptions options;
  options.proxy = "";
  options.tick = std::chrono::milliseconds{10};
  return options;
}

}  // namespace penstock::test
