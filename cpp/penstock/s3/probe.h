// Whether an endpoint honours conditions on writes: tried, with objects of our own, not believed.
#pragma once

#include <memory>

#include "penstock/s3/client.h"

namespace penstock::s3 {

// Creates twice by PutObject and by Complete, and replaces with a wrong ETag, under keys
// <prefix>.penstock-probe-<random>, which are removed again. What was found holds from then on for all stores
// on this Endpoint. Throws Error(denied) without the rights to write and remove there.
void probe(const std::shared_ptr<Client>& client, const Call& call);

}  // namespace penstock::s3
