// What every store says of a key under which there is nothing.
#pragma once

#include <string>

#include "penstock/base/error.h"

namespace penstock::store {

// Error(missing), code NoSuchKey as S3 has it.
Error nothing_at(const std::string& location, std::string doing);

}  // namespace penstock::store
