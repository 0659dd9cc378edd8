// One native job, two ways to get its outcome: now, on this thread; or by an asyncio future.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "penstock/base/wait.h"

#include "convert.h"
#include "errors.h"
#include "gil.h"
#include "runtime.h"

namespace penstock::python {

// A finished job on its way to its loop. `future` is settled by penstock._loop.settle on the loop's thread.
void settle_later(const Kept& loop, const Kept& future, const py::object& value, const py::object& error);

template <class Value>
class Completion : public Runtime::Notice {
 public:
  Completion(Kept loop, Kept future) : loop_(std::move(loop)), future_(std::move(future)) {}
  template <class Work>
  void work(CallState& state, Work& job) noexcept {
    try {
      if constexpr (std::is_void_v<Value>) {
        state.finish(job);
      } else {
        value_.emplace(state.finish(job));
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }
  void tell() override {
    try {
      if (error_) return settle_later(loop_, future_, py::none(), exception_of(error_));
      if constexpr (std::is_void_v<Value>) {
        settle_later(loop_, future_, py::none(), py::none());
      } else {
        settle_later(loop_, future_, to_python(std::move(*value_)), py::none());
      }
    } catch (...) {
      settle_later(loop_, future_, py::none(), exception_of(std::current_exception()));
    }
  }

 private:
  Kept loop_, future_;
  std::optional<std::conditional_t<std::is_void_v<Value>, bool, Value>> value_;
  std::exception_ptr error_;
};

// Runs `work(const Call&)` on this thread without the GIL. On the main thread Ctrl-C stops it: the hook asks
// Python for signals while the core waits, and a handler that raised becomes the outcome, whatever the work
// answered.
template <class Work>
auto blocking(const CallPointer& state, Work&& work) {
  std::optional<Runtime::UnderWay> under_way;
  std::optional<base::WaitHook> hook;
  if (on_main_thread()) {
    hook.emplace([&state] { check_signals(*state); });
  } else {
    under_way.emplace(state, Runtime::Waiter::thread);
  }
  GilReleased release;
  return state->finish(std::forward<Work>(work));
}

// `loop` None: runs `work(const Call&)` here and returns its value. Otherwise starts it on a worker and
// returns a future of `loop`. The value is made Python's by to_python() (convert.h).
template <class Work>
py::object perform(const CallPointer& state, const py::object& loop, Work work) {
  using Value = std::invoke_result_t<Work, const Call&>;
  if (loop.is_none()) {
    if constexpr (std::is_void_v<Value>) {
      blocking(state, work);
      return py::none();
    } else {
      return to_python(blocking(state, work));
    }
  }
  py::object future = loop.attr("create_future")();
  auto done = std::make_shared<std::unique_ptr<Completion<Value>>>(
      std::make_unique<Completion<Value>>(Kept{loop}, Kept{future}));
  auto job = std::make_shared<Work>(std::move(work));
  Runtime::instance().run(state, [state, done, job]() mutable {
    (*done)->work(*state, *job);
    job.reset();  // borrowed buffers are given back before the future says so
    Runtime::instance().tell(std::move(*done));
  });
  return future;
}

}  // namespace penstock::python
