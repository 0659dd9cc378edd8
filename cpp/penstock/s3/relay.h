// Relay: an object's parts go straight from a source that can be read again, through one ring, and none is
// held.
//
// For each part ObjectWriter marks the source, and with it its own hash states; what a try of the part sends
// is read as it goes. A try that fails is made again from the mark: the source goes back there (HTTP: Range
// and the strong ETag it saw first), the hashes with it. What the source throws ends the upload: nothing
// becomes visible. A provider that turns out to refuse trailers gets the parts again without.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/base/units.h"
#include "penstock/s3/client.h"
#include "penstock/store/object.h"
#include "penstock/streams/source.h"

namespace penstock::s3 {

inline constexpr std::string_view kRelayMode = "relay";
// Where neither the call nor the store says more. What a call says is taken as it is.
inline constexpr std::uint64_t kRelayPartBytes = 32_MiB;
// Up to here one buffered PUT. Beyond, always an upload, if of one part: a streamed PutObject would publish
// before what it published could be compared.
inline constexpr std::uint64_t kLeastRelayBytes = 256_KiB;

// Why this object cannot be relayed, as Receipt::mode_reason has it; "": it can.
// `row` is the client's.
std::string relay_obstacle(const Client& client, const Capabilities& row, const store::WriteOptions& options,
                           const Source& source);
// The same of any source that has `length` bytes and repeats exactly.
std::string relay_obstacle(const Client& client, const Capabilities& row, const store::WriteOptions& options,
                           std::uint64_t length);

// Whether parts may carry their checksum after their last byte, as far as is known.
bool takes_trailers(const Client& client, const Capabilities& row);

}  // namespace penstock::s3
