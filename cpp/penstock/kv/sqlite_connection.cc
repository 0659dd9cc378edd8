#include "penstock/kv/sqlite_connection.h"

#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "penstock/base/wait.h"
#include "penstock/disk/system_error.h"

namespace penstock::kv {
namespace {

// Virtual machine steps between two looks at the call: some 0.1 ms.
constexpr int kStepsBetweenLooks = 10'000;

int length_of(std::string_view blob) {
  return static_cast<int>(blob.size());  // limits keep it far below 2 GiB
}

bool is_over(const Call& call) {
  return call.stop.stop_requested() || call.deadline.passed();
}

struct Meaning {
  Kind kind;
  std::string code;
  std::string_view advice;
};

// What the system said beneath an I/O error, if it did.
std::optional<Meaning> system_meaning(int number) {
  if (number == 0) return std::nullopt;
  const Error error = disk::system_error(number, {}, {});
  return Meaning{error.kind(), error.facts().code, {}};
}

Meaning meaning_of(int result, int system_number) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return {Kind::busy, std::string{disk::code::kNoSpace}, "make room and try again"};
    case SQLITE_NOMEM:
      return {Kind::busy, "ENOMEM", "try again"};
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return {Kind::denied, "read_only", "check the owner and rights of the file and its folder"};
    case SQLITE_CANTOPEN:
      return system_meaning(system_number).value_or(Meaning{Kind::denied, "cannot_open", "check the path"});
    case SQLITE_IOERR:
      return system_meaning(system_number)
          .value_or(Meaning{Kind::corrupt, "EIO", "do not trust what was written"});
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Kind::corrupt, "not_a_database", "it is no database of SQLite, or damaged"};
    case SQLITE_TOOBIG:
      return {Kind::refused, std::string{code::kTooLarge}, {}};
    default:
      return {Kind::refused, fmt::format("sqlite_{}", result), {}};
  }
}

bool is_locked(int result) {
  const int primary = result & 0xff;
  return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL;
}

}  // namespace

void SqliteConnection::Close::operator()(sqlite3* connection) const noexcept {
  sqlite3_close_v2(connection);
}
void SqliteConnection::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

SqliteConnection::SqliteConnection(std::string path, std::uint64_t max_value_bytes) : path_(std::move(path)) {
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int result = sqlite3_open_v2(path_.c_str(), &opened, flags, nullptr);
  connection_.reset(opened);
  check(result);
  configure(max_value_bytes);
}

SqliteConnection::~SqliteConnection() = default;

void SqliteConnection::configure(std::uint64_t max_value_bytes) {
  constexpr std::uint64_t kOfARow = 64 * 1024;  // the key and the row's own header
  sqlite3_limit(connection_.get(), SQLITE_LIMIT_LENGTH, static_cast<int>(max_value_bytes + kOfARow));
  sqlite3_progress_handler(
      connection_.get(), kStepsBetweenLooks,
      [](void* self) -> int {
        const Call* call = static_cast<SqliteConnection*>(self)->call_;
        return call && is_over(*call);
      },
      this);
  use_wal();
  run("PRAGMA synchronous=FULL");
  run("PRAGMA trusted_schema=OFF");
  run("PRAGMA journal_size_limit=16777216");
}

void SqliteConnection::use_wal() {
  Statement mode = prepare("PRAGMA journal_mode=WAL");
  if (mode.step() && mode.blob(0) == "wal") return;
  throw Error{Kind::refused,
              fmt::format("SQLite failed: {} cannot have a write-ahead log: keep it on a local disk", path_),
              {.doing = "open", .subject = path_, .code = "no_wal"}};
}

SqliteConnection::Statement SqliteConnection::prepare(const char* sql) {
  auto& kept = statements_[sql];
  if (!kept) {
    sqlite3_stmt* made = nullptr;
    check(sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr));
    kept.reset(made);
  }
  return {*this, *kept};
}

bool SqliteConnection::in_transaction() const {
  return sqlite3_get_autocommit(connection_.get()) == 0;
}

void SqliteConnection::check(int result) const {
  if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE) fail(result);
}

void SqliteConnection::fail(int result) const {
  if (is_locked(result)) throw Locked{};
  if ((result & 0xff) == SQLITE_INTERRUPT && call_) base::check(*call_, "ask SQLite");
  sqlite3* const connection = connection_.get();
  const Meaning meaning = meaning_of(result, connection ? sqlite3_system_errno(connection) : ENOMEM);
  const char* words = connection ? sqlite3_errmsg(connection) : sqlite3_errstr(result);
  std::string message = fmt::format("SQLite failed: {}: {}", path_, words);
  if (!meaning.advice.empty()) message += fmt::format("; {}", meaning.advice);
  throw Error{meaning.kind, message, {.doing = "ask SQLite", .subject = path_, .code = meaning.code}};
}

SqliteConnection::Statement::~Statement() {
  sqlite3_reset(&prepared_);
  sqlite3_clear_bindings(&prepared_);
}

SqliteConnection::Statement& SqliteConnection::Statement::bind(int parameter, std::string_view blob) {
  const char* bytes = blob.empty() ? "" : blob.data();  // a null pointer would be NULL
  owner_.check(sqlite3_bind_blob(&prepared_, parameter, bytes, length_of(blob), SQLITE_STATIC));
  return *this;
}

SqliteConnection::Statement& SqliteConnection::Statement::bind(int parameter, std::int64_t number) {
  owner_.check(sqlite3_bind_int64(&prepared_, parameter, number));
  return *this;
}

bool SqliteConnection::Statement::step() {
  const int result = sqlite3_step(&prepared_);
  owner_.check(result);
  return result == SQLITE_ROW;
}

void SqliteConnection::Statement::run() {
  while (step()) continue;
}

std::string_view SqliteConnection::Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(&prepared_, column);
  const int size = sqlite3_column_bytes(&prepared_, column);
  return bytes ? std::string_view{static_cast<const char*>(bytes), static_cast<std::size_t>(size)}
               : std::string_view{};
}

std::int64_t SqliteConnection::Statement::number(int column) const {
  return sqlite3_column_int64(&prepared_, column);
}

bool SqliteConnection::Statement::is_null(int column) const {
  return sqlite3_column_type(&prepared_, column) == SQLITE_NULL;
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection) : connection_(connection) {
  connection_.run("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  if (!connection_.in_transaction()) return;
  connection_.attend(nullptr);  // what undoes must not be interrupted
  try {
    connection_.run("ROLLBACK");
  } catch (...) {
    // What cannot be undone now is undone by the next who opens the file.
  }
}

void SqliteTransaction::commit() {
  connection_.run("COMMIT");
}

}  // namespace penstock::kv
