// An object being read, verified against the checksum it was stored with.
//
// Whole reads are checked; a range that is not the whole cannot be. Objects up to 256 KiB are held and
// checked before their first byte is given, and asked for once more if they differ. Larger ones stream: a
// difference shows at the end, as Error(corrupt) instead of the end, so that no pipeline finishes on it.
// A range of up to 256 KiB is fetched and held whole, too.
#pragma once

#include <memory>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/store/object_store.h"

namespace penstock::s3 {

// `key` is as the caller names it, for meta(). Throws Error(missing) if there is none.
std::unique_ptr<store::ObjectSource> open_object(const std::shared_ptr<Client>& client, std::string_view key,
                                                 const store::ReadOptions& options, const Call& call);

}  // namespace penstock::s3
