// What the room did since it was made, as plain numbers for a page, a log line or Prometheus.
//
// Threads:  shared freely.
// Memory:   a counter an outcome and kind; nothing grows with the number of files.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "penstock/http/client.h"

namespace penstock::files {

struct MetricsSnapshot {
  // Upper bounds of the histogram's buckets, in seconds; the last bucket has none. From a small object to the
  // five minutes past which a file deserves an alarm.
  static constexpr std::array<double, 11> kBounds{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 150, 300};

  std::map<std::pair<std::string, std::string>, std::uint64_t> files;  // {outcome, kind}
  std::array<std::uint64_t, kBounds.size() + 1> seconds{};             // not cumulative
  double seconds_sum = 0;
  int in_flight = 0;
  // The client's share: everything it carried, whoever asked.
  std::uint64_t bytes_in = 0, bytes_out = 0, resumes = 0, budget_used = 0, budget_peak = 0,
                uploads_orphaned = 0;
  std::map<std::string, std::uint64_t> retries;  // by class
  int pool_open = 0, pool_idle = 0, pool_waiting = 0;
};

class Metrics {
 public:
  // One file, from its begin to its outcome: completed, skipped, failed, cancelled. `kind` is the Error's, ""
  // on success. Dying without an outcome counts as failed, kind unknown.
  class Running {
   public:
    explicit Running(Metrics* metrics);  // null: counts nothing
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    void end(std::string_view outcome, std::string_view kind);

   private:
    Metrics* metrics_;
    std::string outcome_ = "failed", kind_ = "unknown";
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  };

  MetricsSnapshot snapshot(const http::Client& web) const;

 private:
  mutable std::mutex mutex_;
  MetricsSnapshot counted_;
};

}  // namespace penstock::files
