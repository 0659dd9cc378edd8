// The credential chain: providers asked in order, the first that is configured decides (s3.md 2.1).
#pragma once

#include "penstock/aws/credentials.h"
#include "penstock/aws/providers.h"

namespace penstock::aws {

// Borrows both, which must outlive the chain.
Chain make_chain(const ChainInputs& inputs, const ProviderParts& parts);

// The first provider's keys. Throws its Error if a configured one fails; Error(denied) naming where it looked
// if none is configured, or if the profile that was asked for is in neither file.
Credentials load(const Chain& chain, const ChainInputs& inputs, const Call& call);

// Whether arguments, environment or files name a source of credentials at all. Asks none of them: no network,
// no child process. Throws as read_profile does.
bool names_a_source(const ChainInputs& inputs);

}  // namespace penstock::aws
