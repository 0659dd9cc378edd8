// URL to object in one pass: download, limit, hash, count, upload; compare; only then publish.
//
// Life:     what is not finished is not visible: no object, no open upload, and what was there before stays.
// Threads:  each call runs on the caller's thread.
// Memory:   the client's ring (at most 1 MiB) and the store writer's own (S3: parts in flight x part size);
//           relayed: 320 KiB in all.
// Failure:  fetch throws Error; side says which end. A source that changed or cannot be resumed starts
//           again from byte 0 with a new hash and a new upload, at most max_restarts times.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "penstock/base/call.h"
#include "penstock/files/metrics.h"
#include "penstock/files/result.h"
#include "penstock/files/task.h"
#include "penstock/http/client.h"
#include "penstock/store/object_store.h"

namespace penstock::files {

struct FetchOptions {
  Call call;
  int max_restarts = 2;
  std::optional<http::AddressPolicy> guard;   // unset: the client's
  std::optional<int> connections_per_origin;  // unset: the client's
  // Asked once the GET is open and before its body is read, with the bytes the transfer is about to hold;
  // what it returns is kept until the transfer is over. May wait: the source is paused meanwhile.
  std::function<std::shared_ptr<void>(std::uint64_t bytes, const Call& call)> admit;
  std::shared_ptr<Metrics> metrics{};  // counts this file; null: nobody does
};

Receipt fetch(http::Client& web, const FileTask& task, store::ObjectStore& to,
              const FetchOptions& options = {});

// A record instead of a throw, and the log lines of a job. The task's identity is checked too.
FileResult process(http::Client& web, const FileTask& task, store::ObjectStore& to,
                   const FetchOptions& options = {}) noexcept;

}  // namespace penstock::files
