// Many entries in requests of up to ten, of which each may fail for itself inside an answer of 200.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/sqs/message.h"

namespace penstock::sqs {

// Who was asked by number, from 0. Each is in one of the two.
struct BatchReport {
  std::map<std::size_t, Sent> sent{};  // of delete_many: empty values
  std::map<std::size_t, Error> errors{};
};

// What is asked of each: made when its turn comes, so that only one request is held.
struct BatchEntries {
  std::size_t count = 0;
  std::function<std::uint64_t(std::size_t number)> bytes{};  // as the service counts them
  std::function<nlohmann::json(std::size_t number)> json{};
};

inline constexpr std::size_t kBatchEntries = 10;
inline constexpr int kBatchAttempts = 3;

using AskBatch = std::function<nlohmann::json(nlohmann::json batch)>;
using JudgeEntry = std::function<Sent(std::size_t number, const nlohmann::json& answer)>;

// Asks by requests of up to kBatchEntries and `max_bytes`. Entries that failed at the service are asked
// again, after a backoff, kBatchAttempts times in all. Once a whole request fails the rest is not asked and
// gets that error. Throws only what ends the call: Error(cancelled).
BatchReport carry_out(const BatchEntries& entries, std::uint64_t max_bytes, const AskBatch& ask,
                      const JudgeEntry& judge, const Call& call);

}  // namespace penstock::sqs
