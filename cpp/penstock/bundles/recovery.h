// What was written down before a commit, and who was not told: looked at again when a run begins.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/bundles/documents.h"
#include "penstock/bundles/services.h"

namespace penstock::bundles {

inline constexpr std::size_t kRecoveredAtOnce = 32;
// All wait for the slowest of them: 1,000 on versitygw took 1.0 to 1.2 s by 32, 0.8 to 1.1 s by 256.
inline constexpr std::size_t kJudgedTogether = 256;

// What is where a record says that its bundle became visible.
enum class Found { ours, nothing, anothers };
using Look = std::function<Found(const Marker& marker)>;

// What to do with a record, by what is found: the rule, for whoever tells others by himself.
enum class Verdict { tell, discard, leave };
std::string_view to_string(Verdict verdict);
Verdict judge(const PendingRecord& record, const Look& look, WallTime now);

struct Judged {
  std::optional<PendingRecord> record{};  // unset: it is none
  std::optional<Verdict> verdict{};
  std::optional<Error> error{};  // why there is no verdict
};
// The same of several, in their order: kRecoveredAtOnce at a time, so `look` is asked on several threads.
// Throws only what ends_run().
std::vector<Judged> judge_all(std::span<const std::string> records, const Look& look, WallTime now,
                              const Call& call);
using JudgeAll = std::function<std::vector<Judged>(std::span<const std::string> records)>;

// Each record of the recipe: told, discarded or left, as `judge` says, which has some of them at a time. A
// failure keeps the record and goes on to the next; a passed deadline ends it with what was done.
// kRecoveredAtOnce are announced at a time. Throws only Error(cancelled) and what reading the log throws.
void recover_pending(const Services& services, const Recipe& recipe, const JudgeAll& judge,
                     RecoveryReport& report, const Call& call);

// The texts of a recipe's records, at most kMostRecords of them and 64 MiB.
std::vector<std::string> pending_records(const Services& services, const std::string& recipe_id,
                                         const Call& call);

// Runs `sweep` into report.swept; a deadline that passes ends it without an error.
void sweep_in_time(RecoveryReport& report, const Call& call, const std::function<std::uint64_t()>& sweep);

}  // namespace penstock::bundles
