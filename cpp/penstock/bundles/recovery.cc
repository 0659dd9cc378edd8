#include "penstock/bundles/recovery.h"

#include <chrono>
#include <string>
#include <vector>

#include "penstock/base/wait.h"
#include "penstock/bundles/owner.h"

namespace penstock::bundles {
namespace {

constexpr std::chrono::hours kSweepAfter{24};

Sealed sealed_of(const PendingRecord& record, const std::string& at) {
  return {
      .ref = record.ref, .metadata = record.metadata, .receipt = {.bid = record.ref.bid, .completed_at = at}};
}

class Recovery {
 public:
  Recovery(const Services& services, const Recipe& recipe, const Look& look, RecoveryReport& report,
           const Call& call)
      : services_(services), recipe_(recipe), look_(look), report_(report), call_(call) {}

  void take(const std::string& text) {
    if (report_.out_of_time || call_.deadline.passed()) {
      report_.out_of_time = true;
      return;
    }
    base::check(call_, "recover bundles");
    try {
      consider(parse_pending(text));
    } catch (const Error& error) {
      if (error.kind() == Kind::cancelled) throw;
      ++(error.kind() == Kind::corrupt ? report_.malformed : report_.failed);
      say(LogLevel::warning, "a pending record stays: " + error.message());
    }
  }

 private:
  void consider(const PendingRecord& record) {
    switch (judge(record, look_, services_.clock->wall())) {
      case Verdict::leave:
        ++report_.left;
        return;
      case Verdict::discard:
        services_.pending->remove(recipe_.id, record.ref.bid, call_);
        ++report_.discarded;
        return;
      case Verdict::tell:
        tell(record);
    }
  }

  void tell(const PendingRecord& record) {
    const auto failed = call_back(services_, recipe_, record.ref);
    publish_with_retries(services_, sealed_of(record, timestamp(services_.clock->wall())), recipe_.id, call_);
    if (failed && services_.callback_errors == CallbackErrors::raise) {
      ++report_.failed;
      return;
    }
    services_.pending->remove(recipe_.id, record.ref.bid, call_);
    ++report_.recovered;
  }

  void say(LogLevel level, const std::string& line) const {
    if (services_.log) services_.log(level, "bundles", line);
  }

  const Services& services_;
  const Recipe& recipe_;
  const Look& look_;
  RecoveryReport& report_;
  const Call& call_;
};

}  // namespace

Verdict judge(const PendingRecord& record, const Look& look, WallTime now) {
  if (!record.marker) return Verdict::tell;  // written after the commit
  switch (look(*record.marker)) {
    case Found::ours:
      return Verdict::tell;
    case Found::anothers:
      return Verdict::discard;
    case Found::nothing:
      break;
  }
  return is_given_up(record.owner, record.written, now, kSweepAfter) ? Verdict::discard : Verdict::leave;
}

std::string_view to_string(Verdict verdict) {
  constexpr std::string_view kNames[] = {"tell", "discard", "leave"};
  return kNames[static_cast<int>(verdict)];
}

std::vector<std::string> pending_records(const Services& services, const std::string& recipe_id,
                                         const Call& call) {
  std::vector<std::string> records;
  if (services.pending)
    services.pending->each(
        recipe_id,
        [&](const std::string& record) {
          if (records.size() < kMostRecords) records.push_back(record);
        },
        call);
  return records;
}

void recover_pending(const Services& services, const Recipe& recipe, const Look& look, RecoveryReport& report,
                     const Call& call) {
  if (!services.pending) return;
  Recovery recovery{services, recipe, look, report, call};
  services.pending->each(recipe.id, [&](const std::string& text) { recovery.take(text); },
                         {call.stop, {}, nullptr});
}

void sweep_in_time(RecoveryReport& report, const std::function<std::uint64_t()>& sweep) {
  try {
    report.swept = sweep();
  } catch (const Error& error) {
    if (error.facts().code != penstock::code::kDeadline) throw;
    report.out_of_time = true;
  }
}

}  // namespace penstock::bundles
