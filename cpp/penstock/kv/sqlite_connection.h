// One connection to an SQLite database, and SQLite's results as our errors. The only code that knows SQLite.
//
// Life:     opened by the constructor. Must not be open while the process forks: SQLite's locks are the
//           process's, and both would believe to hold them.
// Threads:  one at a time.
// Failure:  Locked if another connection is in the way (nothing was changed, try again); otherwise Error:
//           busy, no_space    the disk is full         denied          rights, a read-only file
//           corrupt           no database, or damaged  refused         too large, no WAL possible
//           cancelled, lost   the call attended to was stopped, or its deadline passed
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/call.h"

struct sqlite3;
struct sqlite3_stmt;

namespace penstock::kv {

class SqliteConnection {
 public:
  struct Locked {};

  // A prepared statement in use. Its rows and values are valid until the next step.
  class Statement {
   public:
    Statement(const SqliteConnection& owner, sqlite3_stmt& prepared) : owner_(owner), prepared_(prepared) {}
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    // Parameters count from 1, columns from 0.
    Statement& bind(int parameter, std::string_view blob);  // borrowed until it dies
    Statement& bind(int parameter, std::int64_t number);
    bool step();  // whether there is a row
    void run();   // to its end
    std::string_view blob(int column) const;
    std::int64_t number(int column) const;
    bool is_null(int column) const;

   private:
    const SqliteConnection& owner_;
    sqlite3_stmt& prepared_;
  };

  // Opens or creates the file, in WAL mode, with every commit on the disk before it returns.
  // No value longer than `max_value_bytes` is read or written.
  SqliteConnection(std::string path, std::uint64_t max_value_bytes);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Prepared once and kept. `sql` is a literal.
  Statement prepare(const char* sql);
  void run(const char* sql) { prepare(sql).run(); }
  bool in_transaction() const;

  // Statements end with this call from now on; borrowed. Null: with none.
  void attend(const Call* call) { call_ = call; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const noexcept;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  void configure(std::uint64_t max_value_bytes);
  void use_wal();
  void check(int result) const;
  [[noreturn]] void fail(int result) const;

  const std::string path_;
  const Call* call_ = nullptr;
  std::unique_ptr<sqlite3, Close> connection_;
  std::map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// BEGIN IMMEDIATE .. COMMIT; undone if it dies before commit().
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteConnection& connection);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  void commit();

 private:
  SqliteConnection& connection_;
};

}  // namespace penstock::kv
