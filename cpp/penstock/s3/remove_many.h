// DeleteObjects: 1,000 keys a request, four at once, what is refused only for now sent again.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/store/object.h"

namespace penstock::s3 {

// Errors of single keys, and of requests that failed for good, are in the report. Throws only when the call
// is stopped or late. Keys that XML cannot carry go by DELETE, one each.
store::RemoveReport remove_many(const std::shared_ptr<Client>& client, std::span<const std::string> keys,
                                const Call& call);

}  // namespace penstock::s3
