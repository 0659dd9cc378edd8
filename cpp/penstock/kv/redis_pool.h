// The connections to one Redis: at most so many, kept for the next call.
//
// Threads:  shared freely; a lease belongs to one thread at a time. Who finds all in use waits.
// Fork:     a child closes what it inherited without a word and makes its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "penstock/kv/fork_watch.h"
#include "penstock/kv/redis_connection.h"

namespace penstock::kv {

class RedisPool final : private ForkWatch {
 public:
  explicit RedisPool(RedisConfig config);
  ~RedisPool();

  // A connection in use. Dying gives it back if it is still good, and closes it otherwise.
  class Lease {
   public:
    Lease(RedisPool& pool, std::uint64_t generation, std::unique_ptr<RedisConnection> connection)
        : pool_(pool), generation_(generation), connection_(std::move(connection)) {}
    ~Lease() { pool_.give_back(generation_, std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    RedisConnection& operator*() { return *connection_; }
    RedisConnection* operator->() { return connection_.get(); }

   private:
    RedisPool& pool_;
    std::uint64_t generation_;
    std::unique_ptr<RedisConnection> connection_;
  };

  // An idle connection or a new one; with `fresh` a new one, as those that were idle are not trusted any
  // more.
  Lease take(bool fresh, const Call& call);
  void close_idle();
  const RedisConfig& config() const { return config_; }

 private:
  using Connections = std::vector<std::unique_ptr<RedisConnection>>;
  std::unique_ptr<RedisConnection> reserve(const Call& call, std::uint64_t& generation);
  std::unique_ptr<RedisConnection> connect(std::uint64_t generation, const Call& call);
  const TlsContext* tls();
  void give_back(std::uint64_t generation, std::unique_ptr<RedisConnection> connection) noexcept;
  void release(std::uint64_t generation, const RedisConnection* connection) noexcept;
  void before_fork() noexcept override { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override;

  const RedisConfig config_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t generation_ = 0;        // counts the forks that led here
  std::size_t open_ = 0;                // idle, leased, or being made
  Connections idle_;                    // the last used at the end
  std::vector<RedisConnection*> made_;  // all that are open, for after_fork()
  std::unique_ptr<TlsContext> tls_;
};

}  // namespace penstock::kv
