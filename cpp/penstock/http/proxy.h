// Which proxy a URL goes through.
#pragma once

#include <functional>
#include <string>

#include "penstock/http/url.h"

namespace penstock::http {

using Environment = std::function<const char*(const char* name)>;  // as std::getenv

// What the process's environment says now of proxies and certificates. Kept, because getenv() on the I/O
// thread would race with the program's own setenv().
Environment environment_now();

// `setting`: "env", a proxy URL, or "" for none. "" in the answer: go direct.
//
// From the environment as curl reads it: http_proxy (lower case only, since a CGI's HTTP_PROXY is a request
// header), https_proxy or HTTPS_PROXY, else all_proxy or ALL_PROXY; unless no_proxy or NO_PROXY names the
// host:
// "*", a domain with all under it, an address or a CIDR.
std::string proxy_for(const Url& url, const std::string& setting, const Environment& environment);

}  // namespace penstock::http
