#include "penstock/kv/sqlite_key_value.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"
#include "penstock/kv/fork_watch.h"
#include "penstock/kv/ordered_scan.h"
#include "penstock/kv/sqlite_connection.h"

namespace penstock::kv {
namespace {

using std::chrono::milliseconds;

// `expires` stands before the value, so that reading it does not lead through a large value's pages.
constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS penstock_kv("
    "key BLOB NOT NULL PRIMARY KEY, expires INTEGER, value BLOB NOT NULL)";
constexpr const char* kIndex =
    "CREATE INDEX IF NOT EXISTS penstock_kv_expires ON penstock_kv(expires) WHERE expires IS NOT NULL";
constexpr const char* kPut =
    "INSERT INTO penstock_kv(key, expires, value) VALUES(?1, ?2, ?3) "
    "ON CONFLICT(key) DO UPDATE SET expires = ?2, value = ?3";
constexpr const char* kDropExpired =
    "DELETE FROM penstock_kv WHERE rowid IN "
    "(SELECT rowid FROM penstock_kv WHERE expires IS NOT NULL AND expires <= ?1 LIMIT 2)";
constexpr const char* kGet =
    "SELECT value FROM penstock_kv WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
constexpr const char* kExists =
    "SELECT 1 FROM penstock_kv WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
// The verdict is ours: SQLite 3.40 calls every `expires IS NULL` false behind RETURNING.
constexpr const char* kRemove = "DELETE FROM penstock_kv WHERE key = ?1 RETURNING expires";
constexpr const char* kRange =
    "SELECT key, value FROM penstock_kv WHERE key >= ?1 AND (expires IS NULL OR expires > ?2) ORDER BY key";
constexpr const char* kKeys =
    "SELECT key FROM penstock_kv WHERE key >= ?1 AND (expires IS NULL OR expires > ?2) ORDER BY key LIMIT ?3";
constexpr const char* kCount = "SELECT COUNT(*) FROM penstock_kv WHERE expires IS NULL OR expires > ?1";

SqliteConfig checked(SqliteConfig config) {
  if (config.path.empty()) throw Error{Kind::refused, "a database needs a path"};
  if (config.path == ":memory:")
    throw Error{Kind::refused, "a database in memory would be lost with its connection: use MemoryKeyValue"};
  if (config.path.find('\0') != std::string::npos) throw Error{Kind::refused, "a path with a NUL in it"};
  config.path = std::filesystem::absolute(config.path).string();  // a later chdir must not move it
  if (!config.clock) config.clock = Clock::system();
  return config;
}

}  // namespace

class SqliteKeyValue::State final : private ForkWatch {
 public:
  explicit State(SqliteConfig config) : config_(std::move(config)) { watch(); }
  ~State() { unwatch(); }

  const SqliteConfig& config() const { return config_; }

  // Runs `work(SqliteConnection&)` when it is this call's turn, again and again while the file is locked.
  template <class Work>
  auto use(const char* doing, const Call& call, Work&& work) {
    const SteadyTime until = std::chrono::steady_clock::now() + config_.busy_timeout;
    for (milliseconds pause{1};; pause = std::min(pause * 2, milliseconds{50})) {
      try {
        return once(doing, call, work);
      } catch (const SqliteConnection::Locked&) {
        if (std::chrono::steady_clock::now() >= until) fail_locked(doing);
      }
      base::sleep(pause, call, doing);
    }
  }

  void close() {
    const Turn turn{*this, {}, "close"};
    connection_.reset();
  }

  std::int64_t now() const {
    return std::chrono::duration_cast<milliseconds>(config_.clock->wall().time_since_epoch()).count();
  }

 private:
  class Turn {
   public:
    Turn(State& state, const Call& call, const char* doing) : state_(state) {
      std::unique_lock lock{state_.mutex_};
      base::wait(state_.changed_, lock, call, doing, [&] { return !state_.taken_; });
      state_.taken_ = true;
    }
    ~Turn() {
      const std::lock_guard lock{state_.mutex_};
      state_.taken_ = false;
      state_.changed_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    State& state_;
  };

  template <class Work>
  auto once(const char* doing, const Call& call, Work& work) {
    base::check(call, doing);
    const Turn turn{*this, call, doing};
    try {
      SqliteConnection& connection = opened();
      connection.attend(&call);
      const Unattend end{connection};
      return work(connection);
    } catch (Error& error) {
      connection_.reset();  // whatever it is, the next call starts anew
      error.facts().doing = doing;
      throw;
    }
  }

  struct Unattend {
    SqliteConnection& connection;
    ~Unattend() { connection.attend(nullptr); }
  };

  SqliteConnection& opened() {
    if (connection_) return *connection_;
    auto fresh = std::make_unique<SqliteConnection>(config_.path, kMaxValueBytes);
    fresh->run(kTable);
    fresh->run(kIndex);
    connection_ = std::move(fresh);
    return *connection_;
  }

  [[noreturn]] void fail_locked(const char* doing) const {
    throw Error{Kind::busy,
                fmt::format("SQLite failed: {} is locked, and still was after {} ms: another process holds a "
                            "transaction open; try again",
                            config_.path, config_.busy_timeout.count()),
                {.doing = doing, .subject = config_.path, .code = "locked"}};
  }

  void before_fork() noexcept override {
    forking_ = std::unique_lock{mutex_};
    changed_.wait(forking_, [this] { return !taken_; });
    connection_.reset();
  }
  void after_fork(bool in_child) noexcept override {
    if (in_child) new (&changed_) std::condition_variable_any;  // those who waited there do not exist here
    forking_.unlock();
  }

  const SqliteConfig config_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool taken_ = false;  // a call uses connection_
  std::unique_ptr<SqliteConnection> connection_;
  std::unique_lock<std::mutex> forking_;
};

SqliteKeyValue::SqliteKeyValue(SqliteConfig config)
    : state_(std::make_shared<State>(checked(std::move(config)))) {}
SqliteKeyValue::~SqliteKeyValue() = default;

void SqliteKeyValue::put(std::string_view key, std::string_view value, Ttl ttl, const Call& call) {
  check_key(key);
  check_value(value);
  if (ttl && ttl->count() <= 0) {
    remove(key, call);
    return;
  }
  state_->use("put", call, [&](SqliteConnection& connection) {
    const std::int64_t now = state_->now();
    SqliteTransaction transaction{connection};
    connection.prepare(kDropExpired).bind(1, now).run();
    {
      auto put = connection.prepare(kPut);
      put.bind(1, key).bind(3, value);
      if (ttl) put.bind(2, now + bounded(*ttl).count());
      put.run();
    }
    transaction.commit();
  });
}

std::optional<std::string> SqliteKeyValue::get(std::string_view key, const Call& call) {
  check_key(key);
  return state_->use("get", call, [&](SqliteConnection& connection) -> std::optional<std::string> {
    auto found = connection.prepare(kGet);
    if (!found.bind(1, key).bind(2, state_->now()).step()) return std::nullopt;
    return std::string{found.blob(0)};
  });
}

bool SqliteKeyValue::remove(std::string_view key, const Call& call) {
  check_key(key);
  return state_->use("remove", call, [&](SqliteConnection& connection) {
    auto removed = connection.prepare(kRemove);
    if (!removed.bind(1, key).step()) return false;
    const bool was_alive = removed.is_null(0) || removed.number(0) > state_->now();
    removed.run();
    return was_alive;
  });
}

bool SqliteKeyValue::exists(std::string_view key, const Call& call) {
  check_key(key);
  return state_->use("exists", call, [&](SqliteConnection& connection) {
    return connection.prepare(kExists).bind(1, key).bind(2, state_->now()).step();
  });
}

std::vector<Entry> SqliteKeyValue::range(std::string_view start, const RangeOptions& options,
                                         const Call& call) {
  check_range(start, options);
  return state_->use("read a range", call, [&](SqliteConnection& connection) {
    Gathered gathered{options};
    auto found = connection.prepare(kRange);
    found.bind(1, start).bind(2, state_->now());
    while (!gathered.full() && found.step()) {
      if (options.end && found.blob(0) >= *options.end) break;
      gathered.add(found.blob(0), found.blob(1));
    }
    return gathered.take();
  });
}

std::unique_ptr<KeyScan> SqliteKeyValue::scan(std::string_view pattern, const Call& call) {
  check_pattern(pattern);
  auto fetch = [state = state_](std::string_view from, const Call& of) {
    return state->use("scan keys", of, [&](SqliteConnection& connection) {
      std::vector<std::string> page;
      auto found = connection.prepare(kKeys);
      found.bind(1, from).bind(2, state->now()).bind(3, static_cast<std::int64_t>(kScanPage));
      while (found.step()) page.emplace_back(found.blob(0));
      return page;
    });
  };
  return std::make_unique<OrderedScan>(pattern, std::move(fetch), call);
}

std::uint64_t SqliteKeyValue::count(const Call& call) {
  return state_->use("count", call, [&](SqliteConnection& connection) {
    auto counted = connection.prepare(kCount);
    counted.bind(1, state_->now()).step();
    return static_cast<std::uint64_t>(counted.number(0));
  });
}

void SqliteKeyValue::clear(const Call& call) {
  state_->use("clear", call, [](SqliteConnection& connection) { connection.run("DELETE FROM penstock_kv"); });
}

void SqliteKeyValue::close() {
  state_->close();
}

std::string SqliteKeyValue::location() const {
  return "sqlite:" + state_->config().path;
}

}  // namespace penstock::kv
