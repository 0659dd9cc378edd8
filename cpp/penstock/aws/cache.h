// Keeping one set of credentials fresh for everyone who signs with it (s3.md 2.2).
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "penstock/aws/credentials.h"

namespace penstock::aws {

// A refresh starts in the background this long before expiry, or at a quarter of the keys' life if that is
// shorter.
inline constexpr std::chrono::minutes kRefreshAhead{15};
// With less left than this (or than the above) callers wait for the refresh.
inline constexpr std::chrono::seconds kMustWait{60};
// After a failed refresh the next waits 1, 2, 4 .. s, at most this.
inline constexpr std::chrono::seconds kMaxRetryWait{60};
// Ended keys that outlive their expiry are tried to be replaced after this, and up to as much again by
// chance: what keeps the metadata of a whole fleet from answering should not be asked by all of it at once.
inline constexpr std::chrono::minutes kEndedRetryWait{5};

struct CacheParts {
  std::function<Credentials(const Call&)> load;    // blocks; throws Error
  std::function<void(std::function<void()>)> run;  // runs a job on some thread; may throw Error
  std::shared_ptr<Clock> clock = Clock::system();
  std::function<void()> fetched = [] {};  // told of each load that is begun, on its thread
};

// Life:  a load in flight keeps what it needs alive; the cache's death stops it.
// Fork:  a load that was in flight in the parent is begun again in the child.
std::shared_ptr<CredentialCache> make_cache(CacheParts parts);

// Keys that never change: no thread, no lock.
std::shared_ptr<CredentialCache> fixed_cache(Credentials credentials);

}  // namespace penstock::aws
