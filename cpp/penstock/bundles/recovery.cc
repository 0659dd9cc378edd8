#include "penstock/bundles/recovery.h"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/units.h"
#include "penstock/base/wait.h"
#include "penstock/bundles/owner.h"
#include "penstock/bundles/telling.h"
#include "penstock/bundles/window.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::hours kSweepAfter{24};
constexpr std::uint64_t kMostBytes = 64_MiB;  // of texts that wait to be judged, and that one run returns

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
  Recovery(const Services& services, const Recipe& recipe, const JudgeAll& judge, RecoveryReport& report,
           const Call& call)
      : services_(services), recipe_(recipe), judge_(judge), report_(report), call_(call) {}

  void take(const FoundRecord& record) {
    base::check(call_, "recover bundles");
    if (record.unread) return failed(*record.unread);
    waiting_bytes_ += record.text.size();
    waiting_.push_back(record.text);
    if (waiting_.size() == kJudgedTogether || waiting_bytes_ >= kMostBytes) judge_waiting();
  }
  void finish() {
    judge_waiting();
    telling_.finish();
  }

 private:
  struct Over {
    std::string bid;
    std::uint64_t* counted_as;
  };

  void judge_waiting() {
    const std::vector<Judged> all = judge_(waiting_);
    waiting_.clear();
    waiting_bytes_ = 0;
    std::vector<Over> discarded;
    for (const Judged& one : all) {
      if (one.error) failed(*one.error);
      if (one.verdict == Verdict::leave) count(report_.left);
      if (one.verdict == Verdict::discard) discarded.push_back({one.record->ref.bid, &report_.discarded});
    }
    // Before a callback runs, which may take any time: meanwhile the BID may get a new owner, and a new
    // record.
    if (!discarded.empty()) drop_all(discarded);
    for (const Judged& one : all) {
      base::check(call_, "recover bundles");
      if (one.verdict == Verdict::tell) tell(*one.record);
    }
  }

  // Callbacks one bundle after the other, messages side by side.
  void tell(const PendingRecord& record) {
    const bool failed = call_back(services_, recipe_, record.ref) != nullptr;
    const bool keep = failed && services_.callback_errors == CallbackErrors::raise;
    telling_.run([this, record, keep] { settle([&] { announce(record, keep); }); }, call_);
  }

  void announce(const PendingRecord& record, bool keep) {
    publish_with_retries(services_, sealed_of(record, timestamp(services_.clock->wall())), recipe_.id, call_);
    keep ? count(report_.failed) : drop(record.ref.bid, report_.recovered);
  }

  // Removes the record, or leaves that to the thread that does so already: it takes what has come meanwhile
  // along, as a bucket takes a thousand as soon as one.
  void drop(const std::string& bid, std::uint64_t& counted_as) {
    {
      const std::lock_guard lock{mutex_};
      over_.push_back({bid, &counted_as});
      if (std::exchange(dropping_, true)) return;
    }
    for (auto some = take_over(); !some.empty(); some = take_over()) drop_all(some);
  }

  // Empty: the next who has something must drop it himself.
  std::vector<Over> take_over() {
    const std::lock_guard lock{mutex_};
    dropping_ = !over_.empty();
    return std::exchange(over_, {});
  }

  void drop_all(const std::vector<Over>& some) {
    std::vector<std::string> bids;
    bids.reserve(some.size());
    for (const Over& one : some) bids.push_back(one.bid);
    std::map<std::string, Error> failures;
    try {
      failures = services_.pending->remove_many(recipe_.id, bids, call_);
    } catch (const Error& error) {
      if (ends_run(error, call_)) throw;
      for (const std::string& bid : bids) failures.emplace(bid, error);
    }
    for (const Over& one : some) {
      const auto failure = failures.find(one.bid);
      failure == failures.end() ? count(*one.counted_as) : failed(failure->second);
    }
  }

  // What fails keeps its record, and the rest go on.
  void settle(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      if (ends_run(error, call_)) throw;
      failed(error);
    }
  }

  void failed(const Error& error) {
    count(error.kind() == Kind::corrupt ? report_.malformed : report_.failed);
    say(services_, LogLevel::warning, "a pending record stays: " + error.message());
  }

  void count(std::uint64_t& number) {
    const std::lock_guard lock{mutex_};
    ++number;
  }

  const Services& services_;
  const Recipe& recipe_;
  const JudgeAll& judge_;
  RecoveryReport& report_;
  const Call& call_;
  std::vector<std::string> waiting_;  // to be judged
  std::uint64_t waiting_bytes_ = 0;
  std::mutex mutex_;  // for the report and what follows
  std::vector<Over> over_;
  bool dropping_ = false;
  Window telling_{kRecoveredAtOnce};
};

Judged judged_of(const std::string& text, const Look& look, WallTime now, const Call& call) {
  Judged judged;
  try {
    judged.record = parse_pending(text);
    judged.verdict = judge(*judged.record, look, now);
  } catch (const Error& error) {
    if (ends_run(error, call)) throw;
    judged.error = error;
  } catch (const std::exception& other) {  // of a store of somebody else's
    judged.error = Error{Kind::lost, other.what(), {.doing = "recover bundles"}};
  }
  return judged;
}

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

std::vector<Judged> judge_all(std::span<const std::string> records, const Look& look, WallTime now,
                              const Call& call) {
  std::vector<Judged> judged(records.size());
  Window looking{kRecoveredAtOnce};
  for (std::size_t i = 0; i < records.size(); ++i)
    looking.run([&, i] { judged[i] = judged_of(records[i], look, now, call); }, call);
  looking.finish();
  return judged;
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

void recover_pending(const Services& services, const Recipe& recipe, const JudgeAll& judge,
                     RecoveryReport& report, const Call& call) {
  if (!services.pending) return;
  Recovery recovery{services, recipe, judge, report, call};
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
