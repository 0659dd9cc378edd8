#include "penstock/files/metrics.h"

#include <algorithm>

namespace penstock::files {
namespace {

void add_client(const http::Statistics& client, MetricsSnapshot& into) {
  into.bytes_in = client.bytes_in;
  into.bytes_out = client.bytes_out;
  into.resumes = client.resumes;
  into.budget_used = client.budget_used;
  into.budget_peak = client.budget_peak;
  into.uploads_orphaned = client.uploads_orphaned;
  into.retries = client.retries_by_class;
  for (const auto& [origin, host] : client.hosts) {
    into.pool_open += host.open;
    into.pool_idle += host.idle;
    into.pool_waiting += host.waiting;
  }
}

}  // namespace

Metrics::Running::Running(Metrics* metrics) : metrics_(metrics) {
  if (!metrics_) return;
  const std::lock_guard lock{metrics_->mutex_};
  ++metrics_->counted_.in_flight;
}

void Metrics::Running::end(std::string_view outcome, std::string_view kind) {
  outcome_ = outcome;
  kind_ = kind;
}

Metrics::Running::~Running() {
  if (!metrics_) return;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  const auto& bounds = MetricsSnapshot::kBounds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
  const std::lock_guard lock{metrics_->mutex_};
  MetricsSnapshot& counted = metrics_->counted_;
  --counted.in_flight;
  ++counted.files[{outcome_, kind_}];
  ++counted.seconds[static_cast<std::size_t>(bucket)];
  counted.seconds_sum += seconds;
}

MetricsSnapshot Metrics::snapshot(const http::Client& web) const {
  MetricsSnapshot now;
  {
    const std::lock_guard lock{mutex_};
    now = counted_;
  }
  add_client(web.statistics(), now);
  return now;
}

}  // namespace penstock::files
