#include "penstock/sqs/batch.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "penstock/aws/service_error.h"
#include "penstock/base/backoff.h"
#include "penstock/base/json.h"
#include "penstock/base/redact.h"
#include "penstock/base/wait.h"

namespace penstock::sqs {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kBackoffBase{100};
constexpr std::size_t kMaxMessageBytes = 512;

std::optional<std::size_t> number_of(const json& entry) {
  const std::string text = text_at(entry, "Id");
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_senders_fault(const json& entry) {
  const auto found = entry.find("SenderFault");
  return found != entry.end() && found->is_boolean() && found->get<bool>();
}

Error failure(const json& entry) {
  const std::string code = text_at(entry, "Code");
  const Kind kind = aws::kind_of(code, is_senders_fault(entry) ? 400 : 500);
  return {kind,
          "a queue failed an entry of a batch: " +
              redact_text(code + " " + text_at(entry, "Message"), kMaxMessageBytes),
          {.side = Side::sink, .code = redact_text(code, kMaxMessageBytes)}};
}

Error unmentioned() {
  return {
      Kind::lost, "a queue's answer to a batch does not say what became of an entry", {.side = Side::sink}};
}

// What one answer says of the entries asked for.
struct Answer {
  std::map<std::size_t, const json*> good{}, bad{};

  explicit Answer(const json& answer) {
    const auto collect = [&answer](const char* name, auto& into) {
      const auto found = answer.find(name);
      if (found == answer.end() || !found->is_array()) return;
      for (const json& entry : *found)
        if (const auto number = entry.is_object() ? number_of(entry) : std::nullopt) into[*number] = &entry;
    };
    collect("Successful", good);
    collect("Failed", bad);
  }
};

class Run {
 public:
  Run(const BatchEntries& entries, std::uint64_t max_bytes, const AskBatch& ask, const JudgeEntry& judge,
      const Call& call)
      : entries_(entries), max_bytes_(max_bytes), ask_(ask), judge_(judge), call_(call) {}

  BatchReport all() {
    try {
      while (next_ < entries_.count) carry_out(next());
    } catch (const Error& error) {
      if (error.kind() == Kind::cancelled) throw;
      for (std::size_t number = 0; number < entries_.count; ++number)
        if (!report_.sent.contains(number)) report_.errors.emplace(number, error);
    }
    return std::move(report_);
  }

 private:
  using Numbers = std::vector<std::size_t>;

  Numbers next() {
    Numbers batch;
    for (std::uint64_t bytes = 0; next_ < entries_.count && batch.size() < kBatchEntries; ++next_) {
      bytes += entries_.bytes(next_);
      if (!batch.empty() && bytes > max_bytes_) break;
      batch.push_back(next_);
    }
    return batch;
  }

  void carry_out(Numbers batch) {
    for (int attempt = 1; !batch.empty(); ++attempt) {
      if (attempt > 1)
        base::sleep(backoff_.before_retry(attempt - 1, kBackoffBase), call_, "ask a queue again");
      batch = once(batch, attempt == kBatchAttempts);
    }
  }

  // Returns those to ask again.
  Numbers once(const Numbers& batch, bool last) {
    json request{{"Entries", json::array()}};
    for (const std::size_t number : batch) {
      request["Entries"].push_back(entries_.json(number));
      request["Entries"].back()["Id"] = std::to_string(number);
    }
    const json said = ask_(std::move(request));
    const Answer answer{said};
    Numbers again;
    for (const std::size_t number : batch) {
      if (const auto good = answer.good.find(number); good != answer.good.end()) {
        take(number, *good->second);
        continue;
      }
      const auto bad = answer.bad.find(number);
      const json* entry = bad == answer.bad.end() ? nullptr : bad->second;
      const bool for_good = last || (entry && is_senders_fault(*entry));
      if (for_good) {
        report_.errors.emplace(number, entry ? failure(*entry) : unmentioned());
      } else {
        again.push_back(number);
      }
    }
    return again;
  }

  void take(std::size_t number, const json& answer) {
    try {
      report_.sent.emplace(number, judge_(number, answer));
    } catch (const Error& error) {
      report_.errors.emplace(number, error);
    }
  }

  const BatchEntries& entries_;
  const std::uint64_t max_bytes_;
  const AskBatch& ask_;
  const JudgeEntry& judge_;
  const Call& call_;
  Backoff backoff_;
  BatchReport report_;
  std::size_t next_ = 0;
};

}  // namespace

BatchReport carry_out(const BatchEntries& entries, std::uint64_t max_bytes, const AskBatch& ask,
                      const JudgeEntry& judge, const Call& call) {
  return Run{entries, max_bytes, ask, judge, call}.all();
}

}  // namespace penstock::sqs
