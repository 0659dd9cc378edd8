#include <tuple>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/s3/resume.h"

#include "await.h"
#include "py_sink.h"
#include "s3_handle.h"

namespace penstock::python {
namespace {

// Named here so that perform() finds their to_python().
struct Uploads {
  std::vector<s3::OpenUpload> uploads;
};
struct Swept {
  s3::SweepReport report;
};

double seconds(WallTime at) {
  return std::chrono::duration<double>(at.time_since_epoch()).count();
}

py::object to_python(const s3::OpenUpload& upload) {
  py::object begun = py::none();
  if (upload.initiated) begun = py::float_(seconds(*upload.initiated));
  return py::make_tuple(text(upload.key), text(upload.upload_id), begun);
}

py::object to_python(const Uploads& open) {
  py::list out;
  for (const auto& upload : open.uploads)
    out.append(py::make_tuple(text(upload.key), text(upload.upload_id)));
  return out;
}

// (uploads, aborted, errors by upload id)
py::object to_python(const Swept& swept) {
  py::list uploads;
  for (const auto& upload : swept.report.uploads) uploads.append(to_python(upload));
  py::dict errors;
  for (const auto& [id, error] : swept.report.errors) errors[text(id)] = python::to_python(error);
  return py::make_tuple(uploads, swept.report.aborted, errors);
}

py::object state_dict(const std::optional<s3::UploadState>& state) {
  using Kind = store::Mode::Kind;
  if (!state) return py::none();
  py::dict out;
  out["bucket"] = text(state->bucket);
  out["key"] = text(state->key);
  out["upload_id"] = text(state->upload_id);
  out["token"] = text(state->token);
  out["mode"] = state->mode.kind == Kind::create ? "create" : "overwrite";
  out["if_match"] = text(state->mode.etag);
  out["part_bytes"] = state->part_bytes;
  out["length"] = state->length;
  out["length_hint"] = state->length_hint;
  out["checksum"] = text(state->checksum);
  out["begun"] = state->begun ? py::object{py::float_(seconds(*state->begun))} : py::none();
  return out;
}

s3::UploadState state_from(const py::dict& given) {
  s3::UploadState state;
  state.bucket = given["bucket"].cast<std::string>();
  state.key = given["key"].cast<std::string>();
  state.upload_id = given["upload_id"].cast<std::string>();
  state.token = given["token"].cast<std::string>();
  state.mode = mode_from(given["mode"].cast<std::string>(), given["if_match"].cast<std::string>());
  state.part_bytes = given["part_bytes"].cast<std::uint64_t>();
  state.length = given["length"].cast<std::optional<std::uint64_t>>();
  state.length_hint = given["length_hint"].cast<std::optional<std::uint64_t>>();
  state.checksum = given["checksum"].cast<std::string>();
  if (py::object begun = given["begun"]; !begun.is_none()) {
    state.begun = WallTime{
        std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(begun.cast<double>()))};
  }
  return state;
}

py::object upload_state(SinkHandle& sink) {
  return state_dict(sink.with([](Sink& inner) -> std::optional<s3::UploadState> {
    const auto* resumable = dynamic_cast<const s3::Resumable*>(&inner);
    return resumable ? resumable->state() : std::nullopt;
  }));
}

py::object resume(const S3Handle& self, const py::dict& state, const std::shared_ptr<SourceHandle>& source,
                  const py::dict& options, const CallPointer& call_state, const py::object& loop) {
  return perform(
      call_state, loop,
      [s3 = self.s3, state = state_from(state), source, options = write_options(options)](const Call& call) {
        Attentive attentive{*source, call};
        return s3->resume_upload(state, attentive, options, call);
      });
}

py::object sweep(const S3Handle& self, const std::string& prefix, double older_than, bool dry_run,
                 const CallPointer& state, const py::object& loop) {
  const s3::SweepOptions options{std::chrono::duration_cast<std::chrono::seconds>(milliseconds(older_than)),
                                 dry_run};
  return perform(state, loop, [s3 = self.s3, prefix, options](const Call& call) {
    return Swept{s3->sweep_uploads(prefix, options, call)};
  });
}

}  // namespace

void bind_uploads(S3Class& store) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  store
      .def(
          "list_uploads",
          [](const S3Handle& self, const std::string& key, const CallPointer& state,
             const py::object& loop_) {
            return perform(state, loop_,
                           [s3 = self.s3, key](const Call& c) { return Uploads{s3->list_uploads(key, c)}; });
          },
          py::arg("key"), call, loop)
      .def(
          "abort_upload",
          [](const S3Handle& self, const std::string& key, const std::string& id, const CallPointer& state,
             const py::object& loop_) {
            return perform(state, loop_, [s3 = self.s3, key, id](const Call& c) {
              s3->abort_upload({key, id, std::nullopt}, c);
            });
          },
          py::arg("key"), py::arg("upload_id"), call, loop)
      .def_static("upload_state", &upload_state, py::arg("sink"))
      .def("resume_upload", &resume, py::arg("state"), py::arg("source"), py::arg("options"), call, loop)
      .def("sweep_uploads", &sweep, py::arg("prefix"), py::arg("older_than"), py::arg("dry_run"), call, loop);
}

}  // namespace penstock::python
