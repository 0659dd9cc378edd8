// Two who want one BID. Internal to the room.
#pragma once

#include <string>

#include "penstock/base/error.h"

namespace penstock::bundles {

// Error(conflict), with the codes of bundle.h.
Error already_open(const std::string& bid);
Error already_completed(const std::string& bid);

}  // namespace penstock::bundles
