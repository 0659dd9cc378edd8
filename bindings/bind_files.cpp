#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/files/fetch.h"
#include "penstock/files/fetch_many.h"

#include "await.h"
#include "bind.h"
#include "py_callback.h"
#include "py_source.h"
#include "py_store.h"
#include "task_from.h"

namespace penstock::python {
namespace {

// Named here so that perform() finds its to_python().
struct Result {
  files::FileResult result;
};

py::object to_python(const Result& made) {
  const files::FileResult& r = made.result;
  py::dict out;
  out["success"] = r.success;
  out["task_id"] = text(r.task_id);
  out["job_id"] = text(r.job_id);
  out["key"] = r.key ? py::object{text(*r.key)} : py::none();
  out["bytes"] = r.bytes;
  out["duration_ms"] = r.duration_ms;
  out["error_message"] = text(r.error_message);
  out["error_code"] = r.error_code;
  out["error_kind"] = r.error_kind ? std::string{to_string(*r.error_kind)} : std::string{};
  out["retryable"] = r.retryable;
  out["skipped"] = r.skipped;
  out["receipt"] = r.success ? python::to_python(r.receipt) : py::none();
  return py::module_::import("penstock.files").attr("FileResult").attr("_from_core")(out);
}

py::object to_python(const std::optional<Result>& result) {
  return result ? to_python(*result) : py::none();
}

std::shared_ptr<http::Client> web_of(const py::object& client) {
  return client.is_none() ? default_client() : client.cast<std::shared_ptr<http::Client>>();
}

// A user's class tells this call what it raises that is no Exception: process() would take it for a failure.
std::shared_ptr<store::ObjectStore> within(const StoreHandle& to, const CallPointer& state) {
  if (const auto user = std::dynamic_pointer_cast<PyStore>(to.store)) return user->within(state);
  return to.store;
}

files::FetchOptions options_from(const py::object& guard) {
  files::FetchOptions options;
  options.metrics = file_metrics();
  if (!guard.is_none()) options.guard = http::AddressPolicy::parse(guard.cast<std::string>());
  return options;
}

py::object fetch(const py::dict& task, const StoreHandle& to, const CallPointer& state,
                 const py::object& client, const py::object& guard, const py::object& loop) {
  return perform(state, loop,
                 [web = web_of(client), task = task_from(task), to = within(to, state),
                  options = options_from(guard)](const Call& call) mutable {
                   options.call = call;
                   return files::fetch(*web, task, *to, options);
                 });
}

py::object process(const py::dict& task, const StoreHandle& to, const CallPointer& state,
                   const py::object& client, const py::object& guard, const py::object& loop) {
  return perform(state, loop,
                 [web = web_of(client), task = task_from(task), to = within(to, state),
                  options = options_from(guard)](const Call& call) mutable {
                   options.call = call;
                   return Result{files::process(*web, task, *to, options)};
                 });
}

// A running batch: results by next(), tasks taken from the Python iterator inside it.
class Batch {
 public:
  Batch(py::iterator tasks, const StoreHandle& to, int jobs, bool ordered,
        std::optional<std::uint64_t> budget, py::object progress_of, const py::object& client,
        const py::object& guard, CallPointer state)
      : state_(std::move(state)) {
    files::BatchOptions options;
    options.jobs = jobs;
    options.ordered = ordered;
    options.budget_bytes = budget;
    options.fetch = options_from(guard);
    options.fetch.call = state_->call();
    if (!progress_of.is_none())
      options.progress_of = [of = Kept{std::move(progress_of)}, state = state_](const files::FileTask& task) {
        return told(of, task, *state);
      };
    many_ = std::make_shared<files::FetchMany>(web_of(client), source(Kept{std::move(tasks)}),
                                               within(to, state_), std::move(options));
    Runtime::instance().end_at_exit(many_);
  }
  const CallPointer& state() const { return state_; }
  std::optional<Result> next(const Call& call) {
    Exclusive use{busy_};
    auto result = many_->next(call);
    if (!result) return std::nullopt;
    return Result{std::move(*result)};
  }
  void cancel() { many_->cancel(); }
  ~Batch() {
    const Ungil ungil;
    many_.reset();
  }

 private:
  static files::TaskSource source(Kept tasks) {
    return [tasks = std::move(tasks)]() -> std::optional<files::FileTask> {
      GilHeld gil;
      py::object next = py::reinterpret_steal<py::object>(PyIter_Next(tasks->ptr()));
      if (PyErr_Occurred()) throw py::error_already_set();
      if (!next) return std::nullopt;
      return task_from(next);
    };
  }
  static std::shared_ptr<Progress> told(const Kept& of, const files::FileTask& task, CallState& state) {
    GilHeld gil;
    return std::make_shared<PyProgress>((*of)(task.task_id), state);
  }

  CallPointer state_;
  std::atomic<bool> busy_{false};
  std::shared_ptr<files::FetchMany> many_;
};

}  // namespace

void bind_files(py::module_& core) {
  core.def("fetch", &fetch, py::arg("task"), py::arg("to"), py::arg("call"), py::arg("client") = py::none(),
           py::arg("guard") = py::none(), py::arg("loop") = py::none());
  core.def("process", &process, py::arg("task"), py::arg("to"), py::arg("call"),
           py::arg("client") = py::none(), py::arg("guard") = py::none(), py::arg("loop") = py::none());
  py::class_<Batch, std::shared_ptr<Batch>>(core, "Batch", plain_type())
      .def(py::init<py::iterator, const StoreHandle&, int, bool, std::optional<std::uint64_t>, py::object,
                    const py::object&, const py::object&, CallPointer>(),
           py::arg("tasks"), py::arg("to"), py::arg("jobs"), py::arg("ordered"), py::arg("budget"),
           py::arg("progress_of"), py::arg("client"), py::arg("guard"), py::arg("call"))
      .def(
          "next",
          [](const std::shared_ptr<Batch>& batch, const py::object& loop) {
            return perform(batch->state(), loop, [batch](const Call& call) { return batch->next(call); });
          },
          py::arg("loop") = py::none())
      .def("cancel", &Batch::cancel, py::call_guard<GilReleased>());
  core.def("validate_task", [](const py::dict& task) { files::validate(task_from(task)); });
}

}  // namespace penstock::python
