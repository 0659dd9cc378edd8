#include "penstock/s3/remove_many.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "penstock/aws/service_error.h"
#include "penstock/base/backoff.h"
#include "penstock/base/hide.h"
#include "penstock/base/redact.h"
#include "penstock/base/wait.h"
#include "penstock/s3/verbs.h"

namespace penstock::s3 {
namespace {

constexpr std::size_t kBatchKeys = 1000;
constexpr int kLanes = 4;
constexpr std::chrono::milliseconds kTransientBase{50}, kThrottleBase{1000};

struct Batch {
  std::vector<std::string> keys = {};  // whole
  int attempt = 1;
  std::chrono::milliseconds base = kTransientBase;  // of the wait before it, if it is sent again
  bool single = false;                              // by DELETE
};

struct Answer {
  Batch batch;
  http::Outcome outcome;
};

// Where the I/O thread leaves answers; outlives a caller that was stopped.
struct Answers {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Answer> arrived;
};

class Removal {
 public:
  Removal(std::shared_ptr<Client> client, const Call& call) : client_(std::move(client)), call_(call) {}

  store::RemoveReport run(std::span<const std::string> keys) {
    plan(keys);
    while (!todo_.empty() || in_flight_ > 0) {
      while (!todo_.empty() && in_flight_ < kLanes) send_next();
      take(wait_for_answer());
    }
    return std::move(report_);
  }

 private:
  void plan(std::span<const std::string> keys) {
    // What an empty removal asks of the endpoint is nothing.
    const bool single_deletes = !keys.empty() && client_->capabilities(call_).single_deletes;
    Batch batch;
    for (const std::string& key : keys) {
      std::string full;
      try {
        full = client_->full_key(key);
      } catch (const Error& error) {
        report_.errors.emplace(key, error);
        continue;
      }
      if (single_deletes || !xml_can_carry(full)) {
        todo_.push_back({.keys = {full}, .single = true});
        continue;
      }
      batch.keys.push_back(std::move(full));
      if (batch.keys.size() == kBatchKeys) todo_.push_back(std::exchange(batch, {}));
    }
    if (!batch.keys.empty()) todo_.push_back(std::move(batch));
  }

  void send_next() {
    Batch batch = std::move(todo_.front());
    todo_.pop_front();
    if (batch.attempt > 1) base::sleep(backoff_.before_retry(batch.attempt - 1, batch.base), call_, "remove");
    http::Request request = batch.single ? delete_object(client_->address(), batch.keys.front(), {})
                                         : delete_objects(client_->address(), batch.keys);
    Sending how{.call = call_, .doing = "remove", .side = Side::sink, .usual_attempts = kBodyAttempts};
    how.error_in_200 = !batch.single;
    ++in_flight_;
    client_->submit(std::move(request), how,
                    [answers = answers_, batch = std::move(batch)](http::Outcome outcome) mutable {
                      const std::lock_guard lock{answers->mutex};
                      answers->arrived.push_back({std::move(batch), std::move(outcome)});
                      answers->changed.notify_all();
                    });
  }

  Answer wait_for_answer() {
    std::unique_lock lock{answers_->mutex};
    base::wait(answers_->changed, lock, call_, "remove", [&] { return !answers_->arrived.empty(); });
    Answer answer = std::move(answers_->arrived.front());
    answers_->arrived.pop_front();
    --in_flight_;
    return answer;
  }

  void take(Answer answer) {
    if (const auto* error = std::get_if<Error>(&answer.outcome)) return take_failure(answer.batch, *error);
    if (answer.batch.single) {
      ++report_.removed;
      return;
    }
    try {
      take_result(answer.batch, parse_delete(std::get<http::Response>(answer.outcome).body));
    } catch (const Error& unreadable) {
      take_failure(answer.batch, unreadable);
    }
  }

  void take_failure(const Batch& batch, const Error& error) {
    base::check(call_, "remove");
    const bool absent = batch.single && error.kind() == Kind::missing && error.facts().code != "NoSuchBucket";
    for (const std::string& key : batch.keys) {
      absent ? void(++report_.removed) : fail(key, error);
    }
  }

  void take_result(const Batch& batch, const std::vector<DeleteFailure>& failures) {
    const std::unordered_set<std::string_view> asked{batch.keys.begin(), batch.keys.end()};
    std::unordered_set<std::string_view> left;
    Batch again{.attempt = batch.attempt + 1};
    for (const DeleteFailure& failure : failures) {
      if (!asked.contains(failure.key)) throw unasked();
      if (failure.code == "NoSuchKey" || !left.insert(failure.key).second) continue;
      const auto retry_class = aws::classify_code(failure.code);
      if (retry_class && batch.attempt < client_->body_attempts()) {
        if (*retry_class == http::RetryClass::throttle) again.base = kThrottleBase;
        again.keys.push_back(failure.key);
      } else {
        fail(failure.key, error_of(failure, batch.attempt));
      }
    }
    report_.removed += static_cast<std::size_t>(
        std::ranges::count_if(batch.keys, [&](const std::string& key) { return !left.contains(key); }));
    if (!again.keys.empty()) todo_.push_back(std::move(again));
  }

  static Error unasked() {
    return Error{
        Kind::corrupt,
        "the answer to a removal names a key that was not to be removed, so nothing in it is believed",
        {.side = Side::sink, .doing = "remove", .code = "xml"}};
  }

  Error error_of(const DeleteFailure& failure, int attempts) const {
    constexpr int kRefused = 400;  // a code that nobody knows
    const Kind kind = aws::kind_of(failure.code, kRefused);
    const std::string subject = client_->location(failure.key);
    Error error{kind,
                subject + " was not removed: " + redact_text(failure.code, 128) + ": " +
                    redact_text(failure.message, 512),
                {.side = Side::sink,
                 .doing = "remove",
                 .subject = subject,
                 .code = redact_text(failure.code, 128),
                 .attempts = attempts}};
    return hide(std::move(error), client_->secrets(call_));
  }

  void fail(const std::string& full, Error error) {
    const std::size_t root = client_->config().prefix.size();
    report_.errors.insert_or_assign(full.size() >= root ? full.substr(root) : full, std::move(error));
  }

  std::shared_ptr<Client> client_;
  Call call_;
  std::shared_ptr<Answers> answers_ = std::make_shared<Answers>();
  std::deque<Batch> todo_;
  Backoff backoff_;
  int in_flight_ = 0;
  store::RemoveReport report_;
};

}  // namespace

store::RemoveReport remove_many(const std::shared_ptr<Client>& client, std::span<const std::string> keys,
                                const Call& call) {
  return Removal{client, call}.run(keys);
}

}  // namespace penstock::s3
