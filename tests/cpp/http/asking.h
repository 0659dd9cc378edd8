// What the client's tests share: short ways to ask and to read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

// A listener whose backlog is full: the next connection is neither accepted nor refused.
class UnansweringPort {
 public:
  UnansweringPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockets_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::bind(sockets_[0], reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(sockets_[0], 0);
    socklen_t size = sizeof address;
    ::getsockname(sockets_[0], reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 4; ++i) {
      sockets_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(sockets_.back(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }
  ~UnansweringPort() {
    for (const int fd : sockets_) ::close(fd);
  }
  UnansweringPort(const UnansweringPort&) = delete;
  UnansweringPort& operator=(const UnansweringPort&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  std::vector<int> sockets_;
  std::uint16_t port_ = 0;
};

// A client whose clocks are short enough to be waited for, and that uses no proxy.
inline http::ClientOptions quick() {
  http::ClientOptions options;
  options.proxy = "";
  options.tick = std::chrono::milliseconds{10};
  return options;
}

}  // namespace penstock::test
