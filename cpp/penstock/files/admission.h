// Who may start filling buffers: transfers wait their turn so that their parts fit into one ceiling together.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "penstock/base/call.h"

namespace penstock::files {

// Threads: shared freely. One transfer is always admitted, however large, so that nothing waits for ever.
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  explicit Admission(std::uint64_t ceiling_bytes) : ceiling_(ceiling_bytes) {}

  // Waits under `call` until `bytes` fit beside the rest; they are held as long as what is returned.
  std::shared_ptr<void> admit(std::uint64_t bytes, const Call& call);

 private:
  void leave(std::uint64_t bytes);

  const std::uint64_t ceiling_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t held_ = 0;
};

}  // namespace penstock::files
