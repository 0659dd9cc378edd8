// Who holds a bundle of a BID that somebody chose: an object beside its resources. Internal to the room.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/call.h"
#include "penstock/bundles/layout.h"
#include "penstock/store/object_store.h"

namespace penstock::bundles {

// Somebody chose it, so somebody else may have chosen the same.
bool is_custom(std::string_view bid);

// Nobody waits longer for what is taken back after a failure.
inline constexpr std::chrono::seconds kWithdrawsWithin{30};

// Of several who want one bundle one gets it, and none once the marker is there: who takes a claim looks for
// the marker afterwards, and who publishes removes the claim after that.
//
// Failure: take() that throws leaves no claim of its own, unless the store refuses that too.
class Claim {
 public:
  // One older than `after` is taken over, also from an owner that may live.
  Claim(store::ObjectStore& store, std::string bid, const BundleKeys& keys, WallTime now,
        std::chrono::milliseconds after);
  void take(const Call& call);  // Error(conflict): another has it, or the bundle is completed
  // Once taken: nobody who had it before may still be at work.
  bool is_undisputed() const { return undisputed_; }
  void release(const Call& call);  // only if it is still ours: it may have been taken over

 private:
  // What lies there.
  struct There {
    std::string text{}, etag{};
  };
  void win(const Call& call);
  bool put(store::Mode mode, const Call& call);
  std::optional<There> find(const Call& call);
  void refuse_completed(const Call& call);
  void withdraw() noexcept;

  store::ObjectStore& store_;
  std::string bid_, claim_, marker_;
  WallTime now_;
  std::chrono::milliseconds after_;
  std::string text_;  // ours, unlike any other
  bool undisputed_ = true;
};

}  // namespace penstock::bundles
