#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/s3/provider.h"
#include "penstock/s3/s3_store.h"

#include "await.h"
#include "bind.h"
#include "chain.h"

namespace penstock::python {
namespace {

// An S3Store as Python holds it: a Store that also knows what only S3 has.
struct S3Handle : StoreHandle {
  explicit S3Handle(std::shared_ptr<s3::S3Store> made) : StoreHandle{made}, s3(std::move(made)) {}
  std::shared_ptr<s3::S3Store> s3;
};

template <class Value>
void take(const py::dict& options, const char* name, Value& into) {
  if (options.contains(name) && !options[name].is_none()) into = options[name].cast<Value>();
}

s3::Config config_from(const py::dict& options) {
  s3::Config config;
  take(options, "bucket", config.bucket);
  take(options, "prefix", config.prefix);
  take(options, "region", config.region);
  take(options, "endpoint", config.endpoint);
  take(options, "provider", config.provider);
  std::string addressing = "auto", conditional = "row";
  take(options, "addressing", addressing);
  take(options, "conditional", conditional);
  check_one_of("addressing", addressing, {"auto", "path", "virtual"});
  check_one_of("conditional", conditional, {"row", "trust"});
  if (addressing == "path") config.addressing = s3::Addressing::path;
  if (addressing == "virtual") config.addressing = s3::Addressing::virtual_host;
  if (conditional == "trust") config.conditional = s3::Conditional::trust;
  config.credentials = chain_inputs(options);
  take(options, "sign_payload", config.sign_payload);
  take(options, "checksum", config.checksum);
  take(options, "part_bytes", config.part_bytes);
  take(options, "max_parts_in_flight", config.max_parts_in_flight);
  if (options.contains("spool_dir"))
    config.spool_dir = options["spool_dir"].cast<std::optional<std::string>>();
  take(options, "token", config.token);
  take(options, "reap", config.reap);
  config.client = default_client();
  take(options, "client", config.client);
  return config;
}

py::dict to_dict(const s3::Capabilities& row) {
  py::dict out;
  out["provider"] = row.provider;
  out["addressing"] = row.virtual_host ? "virtual" : "path";
  out["region"] = row.region;
  out["min_part_bytes"] = row.min_part_bytes;
  out["max_part_bytes"] = row.max_part_bytes;
  out["max_parts"] = row.max_parts;
  out["equal_parts"] = row.equal_parts;
  out["checksum"] = row.checksum;
  out["trailers"] = row.trailers;
  out["conditional_put"] = std::string{s3::to_string(row.conditional_put)};
  out["conditional_complete"] = std::string{s3::to_string(row.conditional_complete)};
  out["metadata_bytes"] = row.metadata_bytes;
  return out;
}

// Named here so that perform() finds their to_python().
struct Row {
  s3::Capabilities row;
};
struct Uploads {
  std::vector<s3::OpenUpload> uploads;
};

py::object to_python(const Row& row) {
  return to_dict(row.row);
}

py::object to_python(const Uploads& open) {
  py::list out;
  for (const auto& upload : open.uploads)
    out.append(py::make_tuple(text(upload.key), text(upload.upload_id)));
  return out;
}

py::object presign(const S3Handle& self, const std::string& method, const std::string& key,
                   std::int64_t expires, const std::vector<std::pair<std::string, std::string>>& headers,
                   const std::vector<std::pair<std::string, std::string>>& query, const CallPointer& state,
                   const py::object& loop) {
  http::Headers enforced;
  for (const auto& [name, value] : headers) enforced.add(name, value);
  return perform(state, loop, [s3 = self.s3, method, key, expires, enforced, query](const Call& call) {
    return s3->presign(method, key, std::chrono::seconds{expires}, enforced, query, call);
  });
}

}  // namespace

void bind_s3(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  py::class_<S3Handle, StoreHandle>(core, "S3Store", plain_type())
      .def(py::init([](const py::dict& options) {
        return S3Handle{std::make_shared<s3::S3Store>(config_from(options))};
      }))
      .def("presign", &presign, py::arg("method"), py::arg("key"), py::arg("expires"), py::arg("headers"),
           py::arg("query"), call, loop)
      .def(
          "capabilities",
          [](const S3Handle& self, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [s3 = self.s3](const Call& c) { return Row{s3->capabilities(c)}; });
          },
          call, loop)
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
          py::arg("key"), py::arg("upload_id"), call, loop);
}

}  // namespace penstock::python
