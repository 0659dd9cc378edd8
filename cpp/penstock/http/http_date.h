// The three date forms of RFC 9110 section 5.6.7: IMF-fixdate, and the obsolete RFC 850 and asctime forms.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"

namespace penstock::http {

// nullopt for anything else: a wrong day of the month, a zone other than GMT, text before or after.
// The day of the week is not compared. Two-digit years below 70 are in this century.
std::optional<WallTime> parse_http_date(std::string_view text);

// IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(WallTime time);

}  // namespace penstock::http
