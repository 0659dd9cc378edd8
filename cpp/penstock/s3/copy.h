// A copy that the server makes: CopyObject up to 1 GiB, above in parts.
//
// The source is looked at first and held to its ETag: one that changes meanwhile is Error(conflict, code
// changed). Attributes, metadata and tags are the source's where `options` names none; storage class and
// encryption are what `options` or the bucket say, as with every copy of S3. A condition on the destination
// is kept by Complete, since servers ignore it on CopyObject: so such a copy goes in parts however small.
// A lost answer is settled by token, as a put's is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "penstock/s3/client.h"
#include "penstock/s3/verbs.h"
#include "penstock/streams/receipt.h"

namespace penstock::s3 {

// `to` is whole. options.part_bytes sets the size of a part and from which size on there are parts.
// nullopt: this provider cannot copy this object under this condition, and nothing was done.
// Throws Error(missing): no source.
std::optional<Receipt> copy_on_server(const std::shared_ptr<Client>& client, const CopySource& source,
                                      const std::string& to, const store::WriteOptions& options,
                                      const Call& call);

// The tags of an object; none where the service keeps none.
std::map<std::string, std::string> tags_of(Client& client, const std::string& key,
                                           std::string_view version_id, const Call& call);

}  // namespace penstock::s3
