#include "penstock/files/admission.h"

#include "penstock/base/wait.h"

namespace penstock::files {

std::shared_ptr<void> Admission::admit(std::uint64_t bytes, const Call& call) {
  std::unique_lock lock{mutex_};
  base::wait(changed_, lock, call, "wait for memory",
             [&] { return held_ == 0 || (held_ <= ceiling_ && bytes <= ceiling_ - held_); });
  held_ += bytes;
  return {nullptr, [self = shared_from_this(), bytes](void*) { self->leave(bytes); }};
}

void Admission::leave(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  held_ -= bytes;
  changed_.notify_all();
}

}  // namespace penstock::files
