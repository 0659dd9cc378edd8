// What a client's options are once everything has been asked: the caller, the environment, the usual.
#pragma once

#include "penstock/http/client.h"

namespace penstock::http {

// Limits out of range, or a variable that says nothing sensible: Error(refused) that names it.
// Reads AWS_MAX_ATTEMPTS (of all tries, the first included) and AWS_RETRY_MODE (standard, adaptive, legacy;
// adaptive is standard: no rate is guessed at) where the caller says nothing.
ClientOptions completed(ClientOptions options);

}  // namespace penstock::http
