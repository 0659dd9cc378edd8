#include "penstock/bundles/recovery.h"

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "penstock/base/units.h"
#include "penstock/base/wait.h"
#include "penstock/bundles/owner.h"
#include "penstock/bundles/telling.h"
#include "penstock/bundles/window.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::hours kSweepAfter{24};
constexpr std::size_t kTellsAtOnce = 32;
constexpr std::uint64_t kMostBytes = 64_MiB;  // of records that are held at once

Sealed sealed_of(const PendingRecord& record, const std::string& at) {
  return {
      .ref = record.ref, .metadata = record.metadata, .receipt = {.bid = record.ref.bid, .completed_at = at}};
}

// A deadline that passes ends it without an error.
void until_late(RecoveryReport& report, const Call& call, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.kind() == Kind::cancelled || !ends_run(error, call)) throw;
    report.out_of_time = true;
  }
}

class Recovery {
 public:
  Recovery(const Services& services, const Recipe& recipe, const Look& look, RecoveryReport& report,
           const Call& call)
      : services_(services), recipe_(recipe), look_(look), report_(report), call_(call) {}

  void take(const FoundRecord& record) {
    base::check(call_, "recover bundles");
    settle([&] {
      if (record.unread) throw *record.unread;
      consider(parse_pending(record.text));
    });
  }
  void finish() { telling_.finish(); }

 private:
  // What fails keeps its record, and the rest go on.
  void settle(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      if (ends_run(error, call_)) throw;
      count(error.kind() == Kind::corrupt ? report_.malformed : report_.failed);
      say(services_, LogLevel::warning, "a pending record stays: " + error.message());
    }
  }

  void consider(const PendingRecord& record) {
    switch (judge(record, look_, services_.clock->wall())) {
      case Verdict::leave:
        return count(report_.left);
      case Verdict::discard:
        services_.pending->remove(recipe_.id, record.ref.bid, call_);
        return count(report_.discarded);
      case Verdict::tell:
        tell(record);
    }
  }

  // Callbacks one bundle after the other, messages side by side.
  void tell(const PendingRecord& record) {
    const bool failed = call_back(services_, recipe_, record.ref) != nullptr;
    const bool keep = failed && services_.callback_errors == CallbackErrors::raise;
    if (!services_.notifier) return announce(record, keep);
    telling_.run([this, record, keep] { settle([&] { announce(record, keep); }); }, call_);
  }

  void announce(const PendingRecord& record, bool keep) {
    publish_with_retries(services_, sealed_of(record, timestamp(services_.clock->wall())), recipe_.id, call_);
    if (keep) return count(report_.failed);
    services_.pending->remove(recipe_.id, record.ref.bid, call_);
    count(report_.recovered);
  }

  void count(std::uint64_t& number) {
    const std::lock_guard lock{mutex_};
    ++number;
  }

  const Services& services_;
  const Recipe& recipe_;
  const Look& look_;
  RecoveryReport& report_;
  const Call& call_;
  std::mutex mutex_;  // for the report
  Window telling_{kTellsAtOnce};
};

}  // namespace

Verdict judge(const PendingRecord& record, const Look& look, WallTime now) {
  if (!record.marker) return Verdict::tell;  // written after the commit
  // Asked first: an owner that lives now may publish before the look, or after it.
  const bool given_up = is_given_up(record.owner, record.written, now, kSweepAfter);
  switch (look(*record.marker)) {
    case Found::ours:
      return Verdict::tell;
    case Found::anothers:
      return Verdict::discard;
    case Found::nothing:
      break;
  }
  return given_up ? Verdict::discard : Verdict::leave;
}

std::string_view to_string(Verdict verdict) {
  constexpr std::string_view kNames[] = {"tell", "discard", "leave"};
  return kNames[static_cast<int>(verdict)];
}

std::vector<std::string> pending_records(const Services& services, const std::string& recipe_id,
                                         const Call& call) {
  std::vector<std::string> records;
  if (!services.pending) return records;
  std::uint64_t bytes = 0;
  services.pending->each(
      recipe_id,
      [&](const FoundRecord& record) {
        if (record.unread) {
          say(services, LogLevel::warning, "a pending record stays: " + record.unread->message());
          return true;
        }
        bytes += record.text.size();
        if (bytes <= kMostBytes) records.push_back(record.text);
        return bytes < kMostBytes && records.size() < kMostRecords;
      },
      call);
  return records;
}

void recover_pending(const Services& services, const Recipe& recipe, const Look& look, RecoveryReport& report,
                     const Call& call) {
  if (!services.pending) return;
  Recovery recovery{services, recipe, look, report, call};
  until_late(report, call, [&] {
    services.pending->each(
        recipe.id,
        [&](const FoundRecord& record) {
          recovery.take(record);
          return true;
        },
        call);
    recovery.finish();
  });
}

void sweep_in_time(RecoveryReport& report, const Call& call, const std::function<std::uint64_t()>& sweep) {
  until_late(report, call, [&] { report.swept = sweep(); });
}

}  // namespace penstock::bundles
