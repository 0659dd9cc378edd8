// Where an answer sends a GET or HEAD next, and what may go along.
#pragma once

#include <optional>

#include "penstock/http/headers.h"
#include "penstock/http/request.h"

namespace penstock::http {

// The request to make instead, or nullopt when the answer is to be judged as it is: not 301 302 303 307 308,
// not GET or HEAD, no Location, or max_redirects is 0.
//
// When scheme, host or port changes, Authorization, Cookie, Host, Proxy-* and `secret_headers` stay behind.
// Throws Error(refused): more than max_redirects, https to http, userinfo, a scheme that is not http(s), a
// Location that does not parse, or several that differ.
std::optional<Request> redirected(const Request& request, int status, const Headers& answer, int followed,
                                  int max_redirects);

}  // namespace penstock::http
