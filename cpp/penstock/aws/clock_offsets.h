// How far each host's clock is from ours, as its answers taught. One set a client.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "penstock/base/call.h"

namespace penstock::http {
class Client;
}

namespace penstock::aws {

// Threads: shared freely.
class ClockOffsets {
 public:
  // The set that belongs to `client`; dies with it, so a later client at the same address starts empty.
  static std::shared_ptr<ClockOffsets> of(const std::shared_ptr<http::Client>& client);
  // nullptr if nothing was learnt through this client.
  static std::shared_ptr<ClockOffsets> find(const http::Client& client);

  std::chrono::system_clock::duration of_host(const std::string& host) const;
  void learn(const std::string& host, std::chrono::system_clock::duration offset);

 private:
  // More hosts than this in one client means host names are data; the map then starts over.
  static constexpr std::size_t kMaxHosts = 4096;
  mutable std::mutex mutex_;
  std::map<std::string, std::chrono::system_clock::duration> offsets_;
};

}  // namespace penstock::aws
