#include "penstock/kv/redis_pool.h"

#include <new>
#include <utility>

#include "penstock/base/wait.h"

namespace penstock::kv {

RedisPool::RedisPool(RedisConfig config) : config_(std::move(config)) {
  idle_.reserve(config_.max_connections);  // giving back must not throw
  watch();
}

RedisPool::~RedisPool() {
  unwatch();
}

RedisPool::Lease RedisPool::take(bool fresh, const Call& call) {
  if (fresh) close_idle();
  for (;;) {
    std::uint64_t generation = 0;
    auto connection = reserve(call, generation);
    if (!connection) return {*this, generation, connect(generation, call)};
    if (connection->is_quiet()) return {*this, generation, std::move(connection)};
    release(generation, connection.get());  // hung up on while it was idle
  }
}

// An idle connection, or null and the right to make one.
std::unique_ptr<RedisConnection> RedisPool::reserve(const Call& call, std::uint64_t& generation) {
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, call, "wait for a connection to Redis",
             [&] { return !idle_.empty() || open_ < config_.max_connections; });
  generation = generation_;
  if (idle_.empty()) {
    ++open_;
    return nullptr;
  }
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

std::unique_ptr<RedisConnection> RedisPool::connect(std::uint64_t generation, const Call& call) {
  try {
    auto made = std::make_unique<RedisConnection>(config_, tls(), call);
    const std::lock_guard lock{mutex_};
    if (generation == generation_) made_.push_back(made.get());
    return made;
  } catch (...) {
    release(generation, nullptr);
    throw;
  }
}

const TlsContext* RedisPool::tls() {
  if (!config_.tls) return nullptr;
  const std::lock_guard lock{mutex_};
  if (!tls_) tls_ = std::make_unique<TlsContext>(config_.ca_bundle);
  return tls_.get();
}

void RedisPool::give_back(std::uint64_t generation, std::unique_ptr<RedisConnection> connection) noexcept {
  if (!connection->is_usable()) return release(generation, connection.get());
  const std::lock_guard lock{mutex_};
  if (generation != generation_) return;
  idle_.push_back(std::move(connection));
  changed_.notify_all();
}

void RedisPool::release(std::uint64_t generation, const RedisConnection* connection) noexcept {
  const std::lock_guard lock{mutex_};
  if (generation != generation_) return;
  std::erase(made_, connection);
  --open_;
  changed_.notify_all();
}

void RedisPool::close_idle() {
  Connections idle;  // closed outside the lock
  const std::lock_guard lock{mutex_};
  idle.reserve(config_.max_connections);
  idle.swap(idle_);
  for (const auto& connection : idle) std::erase(made_, connection.get());
  open_ -= idle.size();
  changed_.notify_all();
}

void RedisPool::after_fork(bool in_child) noexcept {
  if (in_child) {
    for (RedisConnection* connection : made_) connection->abandon();
    made_.clear();
    idle_.clear();
    open_ = 0;
    ++generation_;
    new (&changed_) std::condition_variable_any;  // those who waited there do not exist here
  }
  mutex_.unlock();
}

}  // namespace penstock::kv
