#include "convert.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "penstock/base/redact.h"

#include "errors.h"

namespace penstock::python {
namespace {

py::object objects(const char* name) {
  return py::module_::import("penstock.objects").attr(name);
}

py::object seconds(const std::optional<WallTime>& at) {
  if (!at) return py::none();
  return py::float_(std::chrono::duration<double>(at->time_since_epoch()).count());
}

}  // namespace

py::str text(std::string_view bytes) {
  PyObject* made =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<py::ssize_t>(bytes.size()), "backslashreplace");
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(made);
}

py::dict texts(const std::map<std::string, std::string>& fields) {
  py::dict out;
  for (const auto& [name, value] : fields) out[text(name)] = text(value);
  return out;
}

std::chrono::milliseconds milliseconds(double seconds) {
  constexpr double kCentury = 100 * 365.25 * 86400;
  if (std::isnan(seconds)) throw Error{Kind::refused, "a span of time is not a number: give seconds"};
  return std::chrono::milliseconds{
      static_cast<std::int64_t>(std::clamp(seconds, -kCentury, kCentury) * 1000)};
}

void check_one_of(std::string_view name, const std::string& given,
                  std::initializer_list<std::string_view> values) {
  std::string known;
  for (const auto value : values) {
    if (given == value) return;
    known += (known.empty() ? "'" : ", '") + std::string{value} + "'";
  }
  throw Error{Kind::refused,
              std::string{name} + " is one of " + known + ", not '" + redact_text(given, 64) + "'",
              {.subject = std::string{name}}};
}

store::Mode mode_from(const std::string& mode, const std::string& etag) {
  check_one_of("mode", mode, {"overwrite", "create"});
  if (!etag.empty()) return store::Mode::if_match(etag);
  return mode == "create" ? store::Mode::create() : store::Mode{};
}

py::object to_python(const Receipt& r) {
  return objects("Receipt")(
      py::arg("bytes") = r.bytes, py::arg("key") = text(r.key), py::arg("bucket") = text(r.bucket),
      py::arg("location") = text(r.location), py::arg("etag") = text(r.etag),
      py::arg("version_id") = text(r.version_id), py::arg("content_type") = text(r.content_type),
      py::arg("digests") = texts(r.digests), py::arg("seconds") = r.seconds, py::arg("attempts") = r.attempts,
      py::arg("resumes") = r.resumes, py::arg("restarts") = r.restarts, py::arg("mode") = text(r.mode),
      py::arg("mode_reason") = text(r.mode_reason));
}

py::object to_python(const store::ObjectMeta& m) {
  return objects("ObjectMeta")(
      py::arg("key") = text(m.key), py::arg("bytes") = m.bytes, py::arg("etag") = text(m.etag),
      py::arg("version_id") = text(m.version_id), py::arg("modified") = seconds(m.last_modified),
      py::arg("content_type") = text(m.content_type), py::arg("content_encoding") = text(m.content_encoding),
      py::arg("content_disposition") = text(m.content_disposition),
      py::arg("cache_control") = text(m.cache_control), py::arg("storage_class") = text(m.storage_class),
      py::arg("metadata") = texts(m.metadata), py::arg("digests") = texts(m.digests),
      py::arg("is_prefix") = m.is_prefix);
}

py::object to_python(const store::RemoveReport& report) {
  return objects("RemoveReport")(py::arg("removed") = report.removed,
                                 py::arg("errors") = to_python(report.errors));
}

py::object to_python(const ProgressReport& report) {
  constexpr const char* kStates[] = {"pending",   "downloading", "verifying", "publishing",
                                     "completed", "failed",      "cancelled"};
  return objects("Progress")(py::arg("state") = kStates[static_cast<int>(report.state)],
                             py::arg("bytes_done") = report.bytes_done,
                             py::arg("bytes_total") = report.bytes_total, py::arg("attempt") = report.attempt,
                             py::arg("resumes") = report.resumes);
}

py::object to_python(const std::optional<store::ObjectMeta>& meta) {
  return meta ? to_python(*meta) : py::none();
}

py::object to_python(const std::vector<store::ObjectMeta>& page) {
  py::list out;
  for (const auto& meta : page) out.append(to_python(meta));
  return out;
}

store::ObjectMeta meta_from(py::handle meta) {
  auto told = [&](const char* name) {
    return py::str(py::getattr(meta, name, py::str())).cast<std::string>();
  };
  store::ObjectMeta out;
  out.key = told("key");
  out.bytes = meta.attr("bytes").cast<std::uint64_t>();
  out.etag = told("etag");
  out.version_id = told("version_id");
  if (py::object at = py::getattr(meta, "modified", py::none()); !at.is_none())
    out.last_modified = WallTime{
        std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(at.cast<double>()))};
  out.content_type = told("content_type");
  out.content_encoding = told("content_encoding");
  out.content_disposition = told("content_disposition");
  out.cache_control = told("cache_control");
  out.storage_class = told("storage_class");
  if (py::hasattr(meta, "metadata"))
    out.metadata = meta.attr("metadata").cast<std::map<std::string, std::string>>();
  if (py::hasattr(meta, "digests"))
    out.digests = meta.attr("digests").cast<std::map<std::string, std::string>>();
  return out;
}

std::optional<store::Range> range_from(const py::object& range) {
  if (range.is_none()) return std::nullopt;
  auto [first, last, suffix] = range.cast<
      std::tuple<std::optional<std::uint64_t>, std::optional<std::uint64_t>, std::optional<std::uint64_t>>>();
  return store::Range{first, last, suffix};
}

codecs::Limits limits_from(const py::dict& given) {
  codecs::Limits limits;
  const auto set = [&given](const char* name, auto& value) {
    if (given.contains(name)) value = given[name].cast<std::remove_reference_t<decltype(value)>>();
  };
  set("total_bytes", limits.total_bytes);
  set("entry_bytes", limits.entry_bytes);
  set("ratio", limits.ratio);
  set("ratio_from", limits.ratio_from);
  set("entries", limits.entries);
  set("name_bytes", limits.name_bytes);
  set("spool_bytes", limits.spool_bytes);
  return limits;
}

}  // namespace penstock::python
