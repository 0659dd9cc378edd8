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
  if (body_) last_.resumes = body_->resumes();
  ToldTransfer::report(report);
}

}  // namespace penstock::files
