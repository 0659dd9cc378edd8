// PutObject: an object in one request, settled when its answer is lost.
#pragma once

#include <memory>

#include "penstock/s3/settle.h"
#include "penstock/s3/verbs.h"
#include "penstock/store/object.h"

namespace penstock::s3 {

// Sends `body` and waits. A stop or deadline of `call` before the body was read to its end is
// Error(cancelled) or Error(lost); after that Error(in_doubt). Either way the exchange is over on return.
// `headers`: attributes and condition. The checksum, if identity has one, is added and compared.
Published put_object_and_settle(const std::shared_ptr<Client>& client, const Identity& identity,
                                const store::Mode& mode, http::Headers headers, PayloadPtr body,
                                const Call& call);

}  // namespace penstock::s3
