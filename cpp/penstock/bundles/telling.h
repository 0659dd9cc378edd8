// Who wants to know of a bundle that is visible: callbacks, then the notifier. Internal to the room.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/base/log.h"
#include "penstock/bundles/bundle.h"
#include "penstock/bundles/documents.h"
#include "penstock/bundles/services.h"

namespace penstock::bundles {

// Publishes to the notifier: 4 tries, 0.5 s doubling with full jitter between them, 30 s in all, for what may
// pass: busy, lost, in_doubt.
void publish_with_retries(const Services& services, const Sealed& sealed, const std::string& recipe_id,
                          const Call& call);
// All of them; what they throw is logged, and the first returned.
std::exception_ptr call_back(const Services& services, const Recipe& recipe, const BundleRef& ref);

// That a bundle will never be completed.
void tell_abandoned(const Services& services, const std::string& bid, std::string_view why);

// To the log of the room.
void say(const Services& services, LogLevel level, const std::string& line);

}  // namespace penstock::bundles
