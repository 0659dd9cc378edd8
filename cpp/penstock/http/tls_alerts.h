// Whether a TLS handshake failed for a reason or by a cut: libcurl has one result code for both.
#pragma once

#include <curl/curl.h>

namespace penstock::http {

// For CURLOPT_SSL_CTX_FUNCTION; `seen` is a std::shared_ptr<bool>*, whose bool becomes true when the
// handshake fails by an alert or by what OpenSSL objects to, not by a cut. Does nothing unless libcurl is
// built on OpenSSL.
CURLcode watch_tls_alerts(CURL* easy, void* context, void* seen);

}  // namespace penstock::http
