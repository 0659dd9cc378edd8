// What libcurl's result codes mean, as typed errors.
#pragma once

#include <string>
#include <string_view>

#include <curl/curl.h>

#include "penstock/base/error.h"

namespace penstock::http {

// What is known of a try that libcurl gave up.
struct Breakdown {
  CURLcode result;
  std::string_view detail;       // libcurl's own sentence; only shown, never decided by
  bool connected = false;        // a request was about to go out
  bool address_blocked = false;  // by the address guard
  bool tls_refused = false;      // an alert crossed: the handshake failed for a reason, not by a cut
};

// lost with a code (dns, connect, connect_timeout, reset, short_body ...), denied/address-guard, refused/tls,
// refused for what libcurl cannot send, corrupt for what is not HTTP.
Error fault(const Breakdown& breakdown);

Error blocked_fault();  // denied/address-guard

// What is no fault of the wire's.
Error our_error(Kind kind, std::string_view code, std::string message);

// Our own clocks and limits.
Error first_byte_fault();
Error stall_fault();
Error starved_fault();     // lost: a body made while it is sent did not come
Error cut_stream_fault();  // lost: a connection broke, or an answer came, before it took all of such a body
Error cut_head_fault();
Error head_fault();
Error body_fault(std::size_t max_bytes);

}  // namespace penstock::http
