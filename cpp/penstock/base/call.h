// What every call that can wait takes last: how to stop it, when it must be over, whom to tell how far it is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

namespace penstock {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// A point on the steady clock, or never. Covers attempts, waits and backoff.
class Deadline {
 public:
  Deadline() = default;  // never
  explicit Deadline(SteadyTime at) : at_(at) {}
  static Deadline after(std::chrono::nanoseconds span) {
    return Deadline{std::chrono::steady_clock::now() +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(span)};
  }

  bool set() const { return at_.has_value(); }
  bool passed(SteadyTime now = std::chrono::steady_clock::now()) const { return at_ && now >= *at_; }
  std::optional<SteadyTime> at() const { return at_; }

 private:
  std::optional<SteadyTime> at_;
};

// The states a transfer goes through, in order; the last three are ends.
enum class TransferState { pending, downloading, verifying, publishing, completed, failed, cancelled };

struct ProgressReport {
  TransferState state = TransferState::pending;
  std::uint64_t bytes_done = 0;
  std::optional<std::uint64_t> bytes_total{};
  int attempt = 1;
  int resumes = 0;
};

// Told on each change of state and at most ten times a second, on the thread that runs the transfer, never on
// the I/O thread. What it throws cancels the transfer and reaches the caller.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void report(const ProgressReport& report) = 0;
};

struct Call {
  std::stop_token stop{};
  Deadline deadline{};
  Progress* progress = nullptr;  // borrowed; must outlive the call and whatever it opened
};

}  // namespace penstock
