// What one transfer tells of itself besides how far its bytes are: the states it enters and how it ended,
// with the bytes and the total that were told last.
//
// Threads: the transfer's own.
#pragma once

#include <cstdint>
#include <optional>

#include "penstock/base/call.h"
#include "penstock/base/error.h"
#include "penstock/streams/receipt.h"

namespace penstock {

class ToldTransfer : public Progress {
 public:
  // `told` is borrowed; null: nobody is told.
  explicit ToldTransfer(Progress* told, std::optional<std::uint64_t> bytes_total = {}) : told_(told) {
    last_.bytes_total = bytes_total;
  }

  Progress* for_call() { return told_ ? this : nullptr; }
  void report(const ProgressReport& report) override;
  void enter(TransferState state);

  // The receipt of `transfer()`; tells completed, or by its Error cancelled or failed.
  template <typename Transfer>
  Receipt run(Transfer transfer) {
    try {
      Receipt receipt = transfer();
      completed(receipt.bytes);
      return receipt;
    } catch (const Error& error) {
      ended_by(error);
      throw;
    }
  }

 protected:
  ProgressReport last_;

 private:
  void completed(std::uint64_t bytes);
  void ended_by(const Error& error);
  Progress* told_;
};

}  // namespace penstock
