// Removing what must not be printed. Every message, subject, log line and repr that holds foreign text passes
// here.
#pragma once

#include <string>
#include <string_view>

namespace penstock {

// The URL without userinfo, query and fragment: fit for Facts::subject.
std::string redact_url(std::string_view url);

// `text` with the values of Authorization, X-Amz-Signature, X-Amz-Credential, X-Amz-Security-Token and the
// like replaced by "***", and cut to `max_bytes` at a character boundary with control characters made
// visible.
std::string redact_text(std::string_view text, std::size_t max_bytes = 1024);

// Whether a header, query field or variable of this name holds a secret.
bool names_secret(std::string_view name);

// "AKIA***" : enough to recognise a key by, not to use it.
std::string mask(std::string_view secret);

}  // namespace penstock
