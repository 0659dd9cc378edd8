// What all bundles of a storage share: who is told, what is written down, what counts as an error.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/clock.h"
#include "penstock/base/log.h"
#include "penstock/bundles/notifier.h"
#include "penstock/bundles/pending_log.h"

namespace penstock::bundles {

// required: no record, no commit. best_effort: logged. off: never written, so nothing is recovered.
enum class Pending { required, best_effort, off };
// raise: the first, once all were told; the record stays until finish() is called again.
enum class CallbackErrors { log, raise };
enum class PublishErrors { raise, defer };  // defer: logged; recovery publishes

struct Services {
  std::shared_ptr<PendingLog> pending{};  // null: nothing is written down
  std::shared_ptr<Notifier> notifier{};   // null: nobody is told
  Pending pending_policy = Pending::required;
  CallbackErrors callback_errors = CallbackErrors::log;
  PublishErrors publish_errors = PublishErrors::raise;
  // False: a record only if the recipe has callbacks. Unset: in a folder without a notifier false.
  std::optional<bool> pending_without_callbacks{};
  bool strict = false;  // finish() is refused if an add failed, or resources_count is not what is stored
  LogSink log{};
  // Of a bundle that will never be completed, before it is discarded; unset: a warning in the log.
  std::function<void(const std::string& bid, std::string_view why)> on_abandoned{};
  std::shared_ptr<const Clock> clock = Clock::system();
};

}  // namespace penstock::bundles
