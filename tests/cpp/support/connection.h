// One accepted socket of the scripted server, with or without TLS, whose every wait ends when the server
// does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace penstock::test {

// Thrown through a script when there is nobody to talk to: the peer left, or the server ends.
struct HungUp {};

// Threads: one.
class Connection {
 public:
  // Takes `socket`. `stop_fd` becomes readable when the server ends.
  Connection(int socket, int stop_fd);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start_tls(SSL_CTX& context);                  // HungUp if the peer does not like it
  std::size_t read(char* buffer, std::size_t size);  // 0: the peer sent all it will
  void write(std::string_view bytes);
  void wait_for_peer_to_leave();
  void reset();  // RST
  void close();  // FIN
  void tunnel(std::uint16_t port);
  std::string& unread() { return unread_; }  // read ahead of what was wanted
  bool closed() const { return socket_ < 0; }

 private:
  void await(short events);  // throws HungUp when the server ends
  bool await_tls(int result);

  int socket_, stop_fd_;
  std::string unread_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
};

}  // namespace penstock::test
