// What one fetch tells of itself: which attempt, how often resumed, and at its end how far it had come.
//
// Life:    an Attempt a body, one after another; what was told of the last one stays for how it ends.
// Threads: the transfer's own.
#pragma once

#include "penstock/base/call.h"
#include "penstock/http/body.h"

namespace penstock::files {

class TransferProgress : public Progress {
 public:
  explicit TransferProgress(Progress* told) : told_(told) {}  // borrowed; null: nobody is told

  // From byte 0, as long as it lives. `body` is borrowed.
  class Attempt {
   public:
    Attempt(TransferProgress& progress, const http::Body& body);
    ~Attempt();
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;

   private:
    TransferProgress& progress_;
  };

  Progress* for_call() { return told_ ? this : nullptr; }
  void report(const ProgressReport& report) override;
  void enter(TransferState state);
  void completed(std::uint64_t bytes);

 private:
  Progress* told_;
  const http::Body* body_ = nullptr;
  int attempts_ = 0;
  ProgressReport last_;
};

}  // namespace penstock::files
