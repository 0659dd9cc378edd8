// Many tasks at once: results as they complete, or in the order of the tasks.
//
// Life:     next() until nullopt. Dying early cancels what runs, within 200 ms, and aborts it.
// Threads:  next() from one thread at a time, and only it takes tasks from the source; transfers run on the
//           client's Workers.
// Memory:   at most 2 x jobs tasks and results are held ahead of the reader. A transfer holds its ring,
//           then waits until min(8 MiB, its length) fits into the budget beside the others; its source is
//           paused meanwhile.
// Failure:  one task's failure is its result and touches no other. What the task source throws, next()
//           throws, after the results of the tasks before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "penstock/files/fetch.h"

namespace penstock::files {

// The next task, or nullopt at the end. Called inside next(); a source that blocks there delays results only
// while a job would otherwise be idle.
using TaskSource = std::function<std::optional<FileTask>()>;

struct BatchOptions {
  int jobs = 16;  // 1..256
  bool ordered = false;
  std::optional<std::uint64_t>
      budget_bytes;  // for all transfers together; unset: the client's Budget's limit
  int connections_per_origin = 10;
  FetchOptions fetch;  // call.progress is not used: progress_of is
  // A progress for one task, kept until its transfer is over; may return null.
  std::function<std::shared_ptr<Progress>(const FileTask& task)> progress_of;
};

class FetchMany {
 public:
  FetchMany(std::shared_ptr<http::Client> web, TaskSource tasks, std::shared_ptr<store::ObjectStore> to,
            BatchOptions options = {});
  ~FetchMany();
  FetchMany(const FetchMany&) = delete;
  FetchMany& operator=(const FetchMany&) = delete;

  // Waits under `call` for the next result. nullopt: there are no more.
  std::optional<FileResult> next(const Call& call = {});

  // Cancels what runs and takes no more tasks; what is there already can still be read.
  void cancel() noexcept;
  // From any thread, after cancel(): whether nothing runs any more, for which it waits so long.
  bool ended_within(std::chrono::nanoseconds span) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same, pushed: `take` gets each result on the caller's thread. Ends early, cancelled, if `take` throws.
void fetch_many(std::shared_ptr<http::Client> web, TaskSource tasks, std::shared_ptr<store::ObjectStore> to,
                const BatchOptions& options, const std::function<void(FileResult)>& take);

}  // namespace penstock::files
