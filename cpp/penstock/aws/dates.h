// The two ways AWS writes a time besides RFC 9110's: "20150830T123600Z" and ISO 8601.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"

namespace penstock::aws {

std::string amz_date(WallTime time);  // "20150830T123600Z"
std::string iso8601(WallTime time);   // "2015-08-30T12:36:00Z"

// "2015-08-30T12:36:00Z", with a fraction, with an offset such as "+02:00", or in the basic form of amz_date.
// nullopt for anything else: an expiry that cannot be read must not be taken for "never".
std::optional<WallTime> parse_iso8601(std::string_view text);

}  // namespace penstock::aws
