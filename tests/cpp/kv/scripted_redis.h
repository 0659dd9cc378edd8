// A server on loopback that answers as a test's script says, for what Redis will not do on demand: cuts,
// silence, lies.
//
//   ScriptedRedis server({[](ScriptedRedis::Wire& wire) { wire.read(); wire.reset(); },   // first connection
//                         [](ScriptedRedis::Wire& wire) { wire.answer("+OK\r\n"); }});    // all later ones
//
// A connection ends with its script; the destructor hangs up on everybody.
#pragma once

#include <atomic>
#include <charconv>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/connection.h"

namespace penstock::kv {

class ScriptedRedis {
 public:
  class Wire {
   public:
    explicit Wire(test::Connection& connection) : connection_(connection) {}
    // The next command, its words joined by spaces.
    std::string read() {
      std::string command;
      const std::size_t words = number('*');
      for (std::size_t i = 0; i < words; ++i) command += (i ? " " : "") + take(number('$'), true);
      return command;
    }
    void send(std::string_view bytes) { connection_.write(bytes); }
    void answer(std::string_view bytes) {
      read();
      send(bytes);
    }
    void stall() { connection_.wait_for_peer_to_leave(); }
    void reset() { connection_.reset(); }

   private:
    std::size_t number(char mark) {
      const std::string line = take_line();
      std::size_t value = 0;
      if (line.empty() || line[0] != mark) throw std::runtime_error("not a command: " + line);
      std::from_chars(line.data() + 1, line.data() + line.size(), value);
      return value;
    }
    std::string take_line() {
      for (std::size_t end; (end = buffer_.find("\r\n")) == std::string::npos;) fill();
      return take(buffer_.find("\r\n"), true);
    }
    std::string take(std::size_t size, bool and_its_end) {
      while (buffer_.size() < size + (and_its_end ? 2 : 0)) fill();
      std::string taken = buffer_.substr(0, size);
      buffer_.erase(0, size + (and_its_end ? 2 : 0));
      return taken;
    }
    void fill() {
      char room[16384];
      const std::size_t got = connection_.read(room, sizeof room);
      if (got == 0) throw test::HungUp{};
      buffer_.append(room, got);
    }
    test::Connection& connection_;
    std::string buffer_;
  };
  // One a connection, the last again and again.
  using Script = std::function<void(Wire&)>;

  explicit ScriptedRedis(std::vector<Script> scripts) : scripts_(std::move(scripts)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 128) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("the scripted server cannot listen on 127.0.0.1");
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
  }
  ~ScriptedRedis() {
    ::eventfd_write(stop_, 1);
    acceptor_.join();
    threads_.clear();
    ::close(listener_);
    ::close(stop_);
  }
  ScriptedRedis(const ScriptedRedis&) = delete;
  ScriptedRedis& operator=(const ScriptedRedis&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return accepted_; }

 private:
  void accept_all() {
    for (;;) {
      pollfd both[] = {{listener_, POLLIN, 0}, {stop_, POLLIN, 0}};
      if (::poll(both, 2, -1) < 0) continue;
      if (both[1].revents != 0) return;
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      const auto number = static_cast<std::size_t>(accepted_++);
      threads_.emplace_back([this, socket, number] {
        test::Connection connection(socket, stop_);
        Wire wire(connection);
        try {
          scripts_[std::min(number, scripts_.size() - 1)](wire);
        } catch (const test::HungUp&) {
        }
      });
    }
  }
  const std::vector<Script> scripts_;
  const int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int stop_ = ::eventfd(0, EFD_CLOEXEC);
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::list<std::jthread> threads_;  // the acceptor's, until it is joined
  std::jthread acceptor_;
};

}  // namespace penstock::kv
