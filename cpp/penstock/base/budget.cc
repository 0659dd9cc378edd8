#include "penstock/base/budget.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "penstock/base/error.h"
#include "penstock/base/units.h"

namespace penstock {
namespace {

std::byte* map(std::size_t bytes) {
  // Reserved, not committed: what is never touched costs nothing.
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc{};
  // Huge pages would make eight of ours resident at the first byte of one, and again after trim().
  ::madvise(at, bytes, MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(at);
}

}  // namespace

// The mmap'd pages and the account. Not locked; Budget does.
struct Budget::Slab {
  Slab(std::uint64_t limit_bytes, std::shared_ptr<Clock> clock_used)
      : limit(limit_bytes), clock(std::move(clock_used)), page_count(limit / kPageBytes) {
    if (page_count > 0) first = map(page_count * kPageBytes);
  }
  ~Slab() {
    if (first) ::munmap(first, page_count * kPageBytes);
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  std::uint64_t retained() const { return kept.size() * kPageBytes; }
  std::uint64_t held() const { return in_use + retained(); }
  bool has_room(std::uint64_t bytes) const { return bytes <= limit && in_use <= limit - bytes; }

  void take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes) { in_use -= bytes; }
  std::byte* take_page();
  void give_back_page(std::byte* page);
  void release_oldest();
  void release_idle();

  struct Kept {
    std::byte* page;
    SteadyTime since;
  };

  const pid_t process = ::getpid();
  const std::uint64_t limit;
  const std::shared_ptr<Clock> clock;
  const std::size_t page_count;
  std::byte* first = nullptr;
  std::mutex mutex;
  std::uint64_t in_use = 0, peak = 0;
  std::deque<Kept> kept;          // free and resident, longest idle first
  std::vector<std::byte*> empty;  // free, and given back to the system
  std::size_t untouched = 0;      // pages from here on were never handed out
};

// Room for `bytes` more is made from the kept pages, so that they never stand in anyone's way.
void Budget::Slab::take(std::uint64_t bytes) {
  in_use += bytes;
  while (held() > limit && !kept.empty()) release_oldest();
  peak = std::max(peak, held());
}

std::byte* Budget::Slab::take_page() {
  std::byte* page = nullptr;
  if (!kept.empty()) {  // the warmest: its memory is resident and perhaps still in the cache
    page = kept.back().page;
    kept.pop_back();
  } else if (!empty.empty()) {
    page = empty.back();
    empty.pop_back();
  } else if (untouched < page_count) {
    page = first + kPageBytes * untouched++;
  } else {
    page = map(kPageBytes);  // beyond the limit
  }
  take(kPageBytes);
  return page;
}

void Budget::Slab::give_back_page(std::byte* page) {
  in_use -= kPageBytes;
  const bool from_slab = first && page >= first && page < first + page_count * kPageBytes;
  if (from_slab) {
    kept.push_back({page, clock->now()});
    while (held() > limit && !kept.empty()) release_oldest();
  } else {
    ::munmap(page, kPageBytes);
  }
}

void Budget::Slab::release_oldest() {
  std::byte* const page = kept.front().page;
  kept.pop_front();
  ::madvise(page, kPageBytes, MADV_DONTNEED);
  empty.push_back(page);
}

void Budget::Slab::release_idle() {
  if (kept.empty()) return;
  const auto now = clock->now();
  while (!kept.empty() && now - kept.front().since >= kIdle) release_oldest();
}

Charge::~Charge() {
  if (budget_) budget_->give_back(bytes_, process_);
}

Page::~Page() {
  if (data_) budget_->give_back_page(data_, process_);
}

Budget::Budget(std::uint64_t limit_bytes, std::shared_ptr<Clock> clock)
    : slab_(new Slab(limit_bytes, std::move(clock))) {}

Budget::~Budget() {
  Slab* const slab = slab_.load();
  if (slab->process == ::getpid()) delete slab;
}

Budget::Slab& Budget::here() const {
  Slab* found = slab_.load();
  if (found->process == ::getpid()) return *found;
  auto fresh = std::make_unique<Slab>(found->limit, found->clock);
  // The parent's stays allocated: its lock may be held for ever, and inherited pages lie in it.
  if (!slab_.compare_exchange_strong(found, fresh.get())) return *found;
  return *fresh.release();
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): ~Budget frees it

std::shared_ptr<Budget> Budget::create(std::uint64_t limit_bytes, std::shared_ptr<Clock> clock) {
  return std::shared_ptr<Budget>{new Budget{limit_bytes, std::move(clock)}};
}

namespace {

struct ProcessDefault {
  std::mutex mutex;
  std::shared_ptr<Budget> budget;
};

std::shared_ptr<Budget> usual_budget() {
  const char* value = std::getenv("PENSTOCK_BUDGET");  // NOLINT(concurrency-mt-unsafe): as everybody reads it
  if (!value || !*value) return Budget::create();
  try {
    return Budget::create(parse_bytes(value));
  } catch (const Error& error) {
    throw Error{Kind::refused, "PENSTOCK_BUDGET: " + error.message(), {.doing = "read the environment"}};
  }
}

// Never destroyed: sinks of static life may still give their pages back.
ProcessDefault& process_default_slot() {
  static auto& slot = *new ProcessDefault;  // its budget is made when it is asked for
  return slot;
}

}  // namespace

std::shared_ptr<Budget> Budget::process_default() {
  auto& slot = process_default_slot();
  const std::lock_guard lock{slot.mutex};
  if (!slot.budget) slot.budget = usual_budget();
  return slot.budget;
}

void Budget::set_process_default(std::shared_ptr<Budget> budget) {
  auto& slot = process_default_slot();
  const std::lock_guard lock{slot.mutex};
  slot.budget.swap(budget);
}

std::optional<Charge> Budget::try_charge(std::uint64_t bytes) {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  if (!slab.has_room(bytes)) return std::nullopt;
  slab.take(bytes);
  return Charge{shared_from_this(), bytes, slab.process};
}

Charge Budget::overdraw(std::uint64_t bytes) {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  slab.take(bytes);
  return Charge{shared_from_this(), bytes, slab.process};
}

std::optional<Page> Budget::try_page() {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  slab.release_idle();
  if (!slab.has_room(kPageBytes)) return std::nullopt;
  return Page{shared_from_this(), slab.take_page(), slab.process};
}

std::optional<Page> Budget::try_spare_page() {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  slab.release_idle();
  if (!slab.has_room(slab.limit / 2 + kPageBytes)) return std::nullopt;
  return Page{shared_from_this(), slab.take_page(), slab.process};
}

Page Budget::overdraw_page() {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  slab.release_idle();
  return Page{shared_from_this(), slab.take_page(), slab.process};
}

void Budget::give_back(std::uint64_t bytes, pid_t process) {
  Slab& slab = here();
  if (process != slab.process) return;
  const std::lock_guard lock{slab.mutex};
  slab.give_back(bytes);
}

void Budget::give_back_page(std::byte* data, pid_t process) {
  Slab& slab = here();
  if (process != slab.process) {
    ::munmap(data, kPageBytes);
    return;
  }
  const std::lock_guard lock{slab.mutex};
  slab.give_back_page(data);
  slab.release_idle();
}

void Budget::trim() {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  slab.release_idle();
}

Budget::Statistics Budget::statistics() const {
  Slab& slab = here();
  const std::lock_guard lock{slab.mutex};
  return {.limit = slab.limit,
          .used = slab.held(),
          .peak = slab.peak,
          .overdraft = slab.held() > slab.limit ? slab.held() - slab.limit : 0,
          .retained = slab.retained()};
}

}  // namespace penstock
