// An object as a file, by several ranges at once.
//
// The object is looked at first; every range is held to its ETag and resumed alone, so an object replaced
// meanwhile is Error(conflict, code changed), never a mixture. The CRCs of the ranges, which come in any
// order, are combined and compared with the stored one: nothing is read twice but what differs, once more
// whole. The file is hidden until all of it is there, compared and flushed. The first failure stops the other
// lanes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/store/object.h"
#include "penstock/streams/receipt.h"
#include "penstock/streams/told_transfer.h"

namespace penstock::s3 {

// nullopt: one stream does as well (up to 8 MiB, one lane) or is the only way to compare the checksum that
// the object was stored with; nothing was done. Memory: a ring and a page of the Budget for each lane.
std::optional<Receipt> get_file_in_lanes(const std::shared_ptr<Client>& client, std::string_view key,
                                         const std::string& path, const store::FileOptions& options,
                                         const Call& call, ToldTransfer& told);

}  // namespace penstock::s3
