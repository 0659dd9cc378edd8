// What one fetch tells of itself besides: which attempt, and how often resumed.
//
// Life:    an Attempt a body, one after another; what was told of the last one stays for how it ends.
// Threads: the transfer's own.
#pragma once

#include "penstock/http/body.h"
#include "penstock/streams/told_transfer.h"

namespace penstock::files {

class TransferProgress : public ToldTransfer {
 public:
  using ToldTransfer::ToldTransfer;

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

  void report(const ProgressReport& report) override;

 private:
  const http::Body* body_ = nullptr;
  int attempts_ = 0;
};

}  // namespace penstock::files
