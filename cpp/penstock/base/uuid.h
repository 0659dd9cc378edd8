// Names that nobody else has.
#pragma once

#include <string>

namespace penstock {

// A random UUID, version 4, in lower case. Throws Error(lost) if the system gives no random bytes.
std::string random_uuid();

}  // namespace penstock
