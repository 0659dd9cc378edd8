// ListObjectsV2 page by page, falling back to v1 where a server truncates without a token.
#pragma once

#include <memory>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/store/object_store.h"

namespace penstock::s3 {

// `delimiter` "": every object; else one level, what is below it rolled up into prefixes.
// Lazy: a page of 1,000 is asked for when the one before is used up. A listing that repeats its token or goes
// back in its keys is Error(corrupt), never a loop.
std::unique_ptr<store::Listing> list_objects(std::shared_ptr<Client> client, std::string_view prefix,
                                             std::string_view delimiter, const store::ListOptions& options,
                                             const Call& call);

}  // namespace penstock::s3
