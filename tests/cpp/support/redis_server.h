// A redis-server of a test's own on loopback, its data in a temporary folder, gone when it dies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "support/certificates.h"
#include "support/temporary_folder.h"

namespace penstock::test {

class RedisServer {
 public:
  struct Options {
    std::string password{};
    std::optional<Certificate> certificate{};  // set: TLS and nothing else
  };

  // Returns once it answers. Throws std::runtime_error if there is no redis-server: scripts/install installs
  // it.
  RedisServer() : RedisServer(Options{}) {}
  explicit RedisServer(const Options& options);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::uint16_t port() const { return port_; }
  // Its process, to be stopped and continued.
  pid_t process() const { return process_; }

 private:
  bool start(const Options& options);
  void end() noexcept;
  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

}  // namespace penstock::test
