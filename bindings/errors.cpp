#include "errors.h"

#include <new>
#include <utility>

#include <pybind11/stl.h>

#include "convert.h"

namespace penstock::python {
namespace {

constexpr Kind kKinds[] = {Kind::missing, Kind::denied, Kind::refused,  Kind::conflict, Kind::corrupt,
                           Kind::busy,    Kind::lost,   Kind::in_doubt, Kind::cancelled};
constexpr Side kSides[] = {Side::none, Side::source, Side::sink};

py::object errors_module() {
  return py::module_::import("penstock.errors");
}

py::dict facts_dict(const Facts& facts) {
  py::dict out;
  out["side"] = std::string{to_string(facts.side)};
  out["doing"] = text(facts.doing);
  out["subject"] = text(facts.subject);
  out["status"] = facts.status;
  out["code"] = text(facts.code);
  out["request_id"] = text(facts.request_id);
  out["host_id"] = text(facts.host_id);
  out["attempts"] = facts.attempts;
  out["retry_after"] =
      facts.retry_after ? py::object{py::float_(facts.retry_after->count() / 1000.0)} : py::none();
  out["bytes_done"] = facts.bytes_done;
  out["quota_exhausted"] = facts.quota_exhausted;
  out["upload_id"] = text(facts.upload_id);
  out["expected"] = text(facts.expected);
  out["actual"] = text(facts.actual);
  return out;
}

template <class Enum, std::size_t n>
Enum named(const Enum (&all)[n], const std::string& name, Enum otherwise) {
  for (Enum value : all)
    if (to_string(value) == name) return value;
  return otherwise;
}

Error ours(py::handle raised) {
  auto told = [&](const char* name) { return py::str(raised.attr(name)).cast<std::string>(); };
  Facts facts;
  facts.side = named(kSides, told("side"), Side::none);
  facts.doing = told("doing");
  facts.subject = told("subject");
  facts.status = raised.attr("status").cast<int>();
  facts.code = told("code");
  facts.request_id = told("request_id");
  facts.host_id = told("host_id");
  facts.attempts = raised.attr("attempts").cast<int>();
  if (!raised.attr("retry_after").is_none())
    facts.retry_after = milliseconds(raised.attr("retry_after").cast<double>());
  facts.bytes_done = raised.attr("bytes_done").cast<std::uint64_t>();
  facts.upload_id = told("upload_id");
  facts.expected = told("expected");
  facts.actual = told("actual");
  return {named(kKinds, told("kind"), Kind::refused), told("message"), facts};
}

}  // namespace

py::object to_python(const Error& error) {
  py::object made = errors_module().attr("_from_core")(std::string{to_string(error.kind())},
                                                       text(error.message()), facts_dict(error.facts()));
  if (error.facts().cause) PyException_SetCause(made.ptr(), to_python(*error.facts().cause).release().ptr());
  return made;
}

py::object exception_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return to_python(error);
  } catch (const py::error_already_set& raised) {
    return raised.value();
  } catch (const std::bad_alloc&) {
    return py::reinterpret_borrow<py::object>(PyExc_MemoryError)();
  } catch (const std::exception& other) {
    return py::reinterpret_borrow<py::object>(PyExc_RuntimeError)(text(other.what()));
  }
}

std::optional<Error> error_from(const py::error_already_set& raised) {
  if (raised.matches(errors_module().attr("Error"))) return ours(raised.value());
  const std::pair<PyObject*, Kind> builtin[] = {
      {PyExc_FileNotFoundError, Kind::missing}, {PyExc_PermissionError, Kind::denied},
      {PyExc_FileExistsError, Kind::conflict},  {PyExc_ConnectionError, Kind::lost},
      {PyExc_TimeoutError, Kind::lost},
  };
  for (auto [type, kind] : builtin)
    if (raised.matches(type)) return Error{kind, py::str(raised.value()).cast<std::string>()};
  return std::nullopt;
}

void rethrow_ours(const py::error_already_set& raised, const CallPointer& state) {
  if (auto error = error_from(raised)) throw *error;
  if (!state || raised.matches(PyExc_Exception)) throw;
  state->fail(std::current_exception());
  throw Error{Kind::cancelled, "user code raised what is no Exception"};
}

void register_errors(py::module_& core) {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(std::move(thrown));
    } catch (const Error& error) {
      py::object made = to_python(error);
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
    }
  });
  // For tests of the edge: throws as the core does.
  core.def(
      "_raise",
      [](const std::string& kind, const std::string& message, const std::string& code,
         const std::string& cause) {
        Facts facts;
        facts.code = code;
        facts.retry_after = std::chrono::milliseconds{1500};
        if (!cause.empty()) facts.cause = std::make_shared<const Error>(Kind::lost, cause);
        throw Error{named(kKinds, kind, Kind::refused), message, facts};
      },
      py::arg("kind"), py::arg("message"), py::arg("code") = "", py::arg("cause") = "");
}

}  // namespace penstock::python
