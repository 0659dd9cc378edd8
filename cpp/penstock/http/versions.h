// The libraries the transfers stand on, as they are linked, for people: "libcurl/7.88.1 OpenSSL/3.0.15 ...".
#pragma once

#include <string>

namespace penstock::http {

std::string library_versions();

}  // namespace penstock::http
