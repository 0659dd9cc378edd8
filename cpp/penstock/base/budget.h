// The ceiling on memory that grows with data. Bytes are taken from a Budget before they are allocated.
//
// Threads: shared freely.
// Memory:  pages of 256 KiB from one mmap'd slab as large as the limit (reserved, not resident, until used).
//          Free pages go back to the system after kIdle; until then they count as used unless a page is asked
//          for.
// Fork:    a child begins with nothing taken. What it inherited counts nowhere: whoever held it is not there.
// Failure: nothing here waits. "No room now" is an answer (nullopt); who must have one page may overdraw,
//          which statistics() counts.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <sys/types.h>

#include "penstock/base/bytes.h"
#include "penstock/base/clock.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr std::uint64_t kPageBytes = 256_KiB;
inline constexpr std::uint64_t kDefaultBudgetBytes = 96_MiB;

class Budget;

// A number of bytes taken from a Budget, given back when it dies. The memory is the holder's own.
class Charge {
 public:
  Charge() = default;
  Charge(Charge&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)), process_(other.process_) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    std::swap(process_, other.process_);
    return *this;
  }
  ~Charge();
  std::uint64_t bytes() const { return bytes_; }

 private:
  friend class Budget;
  Charge(std::shared_ptr<Budget> budget, std::uint64_t bytes, pid_t process)
      : budget_(std::move(budget)), bytes_(bytes), process_(process) {}
  std::shared_ptr<Budget> budget_;
  std::uint64_t bytes_ = 0;
  pid_t process_ = 0;
};

// kPageBytes of memory out of a Budget's slab, given back when it dies.
class Page {
 public:
  Page() = default;
  Page(Page&& other) noexcept
      : budget_(std::move(other.budget_)),
        data_(std::exchange(other.data_, nullptr)),
        process_(other.process_) {}
  Page& operator=(Page&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(data_, other.data_);
    std::swap(process_, other.process_);
    return *this;
  }
  ~Page();
  explicit operator bool() const { return data_ != nullptr; }
  MutableBytes bytes() { return {data_, kPageBytes}; }
  Bytes bytes() const { return {data_, kPageBytes}; }

 private:
  friend class Budget;
  Page(std::shared_ptr<Budget> budget, std::byte* data, pid_t process)
      : budget_(std::move(budget)), data_(data), process_(process) {}
  std::shared_ptr<Budget> budget_;
  std::byte* data_ = nullptr;
  pid_t process_ = 0;
};

class Budget : public std::enable_shared_from_this<Budget> {
 public:
  struct Statistics {
    std::uint64_t limit = 0, used = 0, peak = 0;
    std::uint64_t overdraft = 0;  // bytes granted beyond the limit, now
    std::uint64_t retained = 0;   // free pages still resident
  };
  static constexpr std::chrono::seconds kIdle{5};

  static std::shared_ptr<Budget> create(std::uint64_t limit_bytes = kDefaultBudgetBytes,
                                        std::shared_ptr<Clock> clock = Clock::system());
  // The one process-wide Budget that everything uses unless given another. Replaceable; never null.
  // Of PENSTOCK_BUDGET ("256MiB"), else kDefaultBudgetBytes. Error(refused) if that says nothing sensible.
  static std::shared_ptr<Budget> process_default();
  static void set_process_default(std::shared_ptr<Budget> budget);
  ~Budget();

  std::optional<Charge> try_charge(std::uint64_t bytes);  // nullopt: no room now
  Charge overdraw(std::uint64_t bytes);                   // always granted
  std::optional<Page> try_page();
  // Of the lower half of the Budget only: for who can do without, so that room is left for who cannot.
  std::optional<Page> try_spare_page();
  Page overdraw_page();

  // Gives pages idle for kIdle back to the system. Page traffic does it by itself; the I/O thread's tick does
  // it when there is none.
  void trim();
  Statistics statistics() const;

 private:
  struct Slab;
  explicit Budget(std::uint64_t limit_bytes, std::shared_ptr<Clock> clock);
  friend class Charge;
  friend class Page;
  Slab& here() const;
  void give_back(std::uint64_t bytes, pid_t process);
  void give_back_page(std::byte* data, pid_t process);
  // Atomic: a lock here might have been held by another thread at a fork.
  mutable std::atomic<Slab*> slab_;
};

}  // namespace penstock
