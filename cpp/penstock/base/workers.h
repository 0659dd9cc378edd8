// Threads for running pipelines: one each, kept 5 s for the next, at most 256, then first come first served.
//
// A pipeline never submits to Workers and waits: with all threads waiting nobody would run.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace penstock {

// Threads: shared freely. Dying waits for the running jobs and drops none.
class Workers {
 public:
  struct Options {
    std::size_t max_threads = 256;
    std::chrono::milliseconds idle{5'000};
  };
  Workers();
  explicit Workers(Options options);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs `job` on some thread, now or when one is free. `job` must not throw. Throws Error(busy) only if
  // there is no thread and the system gives none.
  void run(std::function<void()> job);
  std::size_t threads() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock
