// The digests an origin says its body has: Content-MD5, Repr-Digest (RFC 9530) and full-object
// x-amz-checksum-*.
#pragma once

#include <vector>

#include "penstock/http/headers.h"
#include "penstock/streams/hash.h"

namespace penstock::files {

// What does not parse, an algorithm we do not know, and composite checksums ("...-3") are left out: they say
// nothing about the bytes.
std::vector<Digest> origin_digests(const http::Headers& headers);

}  // namespace penstock::files
