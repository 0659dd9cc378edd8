// Entries in Redis 6 or newer, or what speaks as it does.
//
// Life:     made without I/O; connections are made as calls need them, and kept.
// Threads:  shared freely: up to config.max_connections calls at once, the others wait.
// Fork:     a child makes connections of its own.
// Memory:   a value three times while it is written, twice while it is read.
// Failure:  Error(lost), its message "Redis failed: ...", for a server that is not there, hangs up, or says
//           nothing for config.timeout; Error(denied) for a password it does not accept. A command whose
//           connection breaks is asked once more, on a new one: the first may have been carried out, so that
//           a remove() may say false of what it removed itself, and a put() may undo another's that came
//           between. clear() is not.
// Order:    Redis has none. range() looks at every key of the database (SCAN) and keeps the first of them.
// Source:   the RESP specification and command reference of Redis 7.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "penstock/kv/key_value.h"

namespace penstock::kv {

struct RedisConfig {
  std::string host = "localhost";
  std::uint16_t port = 6379;
  int db = 0;
  std::string password{};  // "": none is sent. Never part of an error or of location()
  bool tls = false;
  std::string ca_bundle{};                    // a PEM file; "": SSL_CERT_FILE, or the system's
  std::chrono::milliseconds timeout{10'000};  // of connecting, and of the server saying nothing
  std::size_t max_connections = 10;
};

class RedisKeyValue : public KeyValue {
 public:
  // Error(refused) for a config that cannot be.
  explicit RedisKeyValue(RedisConfig config);
  ~RedisKeyValue() override;

  void put(std::string_view key, std::string_view value, Ttl ttl = {}, const Call& call = {}) override;
  std::optional<std::string> get(std::string_view key, const Call& call = {}) override;
  bool remove(std::string_view key, const Call& call = {}) override;
  bool exists(std::string_view key, const Call& call = {}) override;
  std::vector<Entry> range(std::string_view start, const RangeOptions& options = {},
                           const Call& call = {}) override;
  // In no order, and a key perhaps twice.
  std::unique_ptr<KeyScan> scan(std::string_view pattern, const Call& call = {}) override;
  std::uint64_t count(const Call& call = {}) override;  // of the database, whatever its keys hold
  void clear(const Call& call = {}) override;           // the database
  void close() override;
  std::string location() const override;

 private:
  class State;
  class Scan;
  std::set<std::string> first_keys(std::string_view start, const std::optional<std::string>& end,
                                   std::size_t most, const Call& call);
  void gather(std::span<const std::string> keys, Gathered& gathered, const Call& call);
  std::shared_ptr<State> state_;
};

}  // namespace penstock::kv
