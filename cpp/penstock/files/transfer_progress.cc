#include "penstock/files/transfer_progress.h"

namespace penstock::files {

TransferProgress::Attempt::Attempt(TransferProgress& progress, const http::Body& body) : progress_(progress) {
  progress_.body_ = &body;
  progress_.last_ = {.bytes_total = body.remaining(), .attempt = ++progress_.attempts_};
}

TransferProgress::Attempt::~Attempt() {
  progress_.last_.resumes = progress_.body_->resumes();
  progress_.body_ = nullptr;
}

void TransferProgress::report(const ProgressReport& report) {
  if (!told_) return;
  last_.state = report.state;
  last_.bytes_done = report.bytes_done;
  if (report.bytes_total) last_.bytes_total = report.bytes_total;
  if (body_) last_.resumes = body_->resumes();
  told_->report(last_);
}

void TransferProgress::enter(TransferState state) {
  report({.state = state, .bytes_done = last_.bytes_done});
}

void TransferProgress::completed(std::uint64_t bytes) {
  report({.state = TransferState::completed, .bytes_done = bytes});
}

}  // namespace penstock::files
