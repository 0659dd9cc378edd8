#include "penstock/streams/told_transfer.h"

namespace penstock {

void ToldTransfer::report(const ProgressReport& report) {
  if (!told_) return;
  last_.state = report.state;
  last_.bytes_done = report.bytes_done;
  if (report.bytes_total) last_.bytes_total = report.bytes_total;
  told_->report(last_);
}

void ToldTransfer::enter(TransferState state) {
  report({.state = state, .bytes_done = last_.bytes_done});
}

void ToldTransfer::completed(std::uint64_t bytes) {
  report({.state = TransferState::completed, .bytes_done = bytes});
}

void ToldTransfer::ended_by(const Error& error) {
  enter(error.kind() == Kind::cancelled ? TransferState::cancelled : TransferState::failed);
}

}  // namespace penstock
