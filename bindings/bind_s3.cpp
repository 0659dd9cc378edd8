#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/s3/provider.h"

#include "await.h"
#include "bind.h"
#include "chain.h"
#include "s3_handle.h"

namespace penstock::python {
namespace {

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
  take(options, "sse_customer_key", config.sse_customer_key);
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
  out["default_part_bytes"] = row.default_part_bytes;
  out["checksum"] = row.checksum;
  out["content_md5"] = row.content_md5;
  out["trailers"] = row.trailers;
  out["conditional_put"] = std::string{s3::to_string(row.conditional_put)};
  out["conditional_complete"] = std::string{s3::to_string(row.conditional_complete)};
  out["declares_size"] = row.declares_size;
  out["metadata_bytes"] = row.metadata_bytes;
  out["multipart_copy"] = row.multipart_copy;
  out["single_deletes"] = row.single_deletes;
  out["list"] = row.lists_v1 ? "v1" : "v2";
  out["raw_keys"] = row.raw_keys;
  out["upload_id_marker"] = row.upload_id_marker;
  out["https_only"] = row.https_only;
  out["expects_continue"] = row.expects_continue;
  out["closes_early"] = row.closes_early;
  return out;
}

// Named here so that perform() finds its to_python().
struct Row {
  s3::Capabilities row;
};

py::object to_python(const Row& row) {
  return to_dict(row.row);
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

struct Form {
  s3::PostForm form;
};
py::object to_python(const Form& made) {
  py::dict fields;
  for (const auto& [name, value] : made.form.fields) fields[text(name)] = text(value);
  return py::make_tuple(text(made.form.url), fields);
}

py::object presign_post(const S3Handle& self, const std::string& key, std::int64_t expires,
                        std::uint64_t min_bytes, std::uint64_t max_bytes, const std::string& content_type,
                        const std::vector<std::pair<std::string, std::string>>& fields,
                        const CallPointer& state, const py::object& loop) {
  const s3::PostOptions options{std::chrono::seconds{expires}, min_bytes, max_bytes, content_type, fields};
  return perform(state, loop, [s3 = self.s3, key, options](const Call& call) {
    return Form{s3->presign_post(key, options, call)};
  });
}

}  // namespace

void bind_s3(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  S3Class store(core, "S3Store", plain_type());
  store
      .def(py::init([](const py::dict& options) {
        return S3Handle{std::make_shared<s3::S3Store>(config_from(options))};
      }))
      .def("presign", &presign, py::arg("method"), py::arg("key"), py::arg("expires"), py::arg("headers"),
           py::arg("query"), call, loop)
      .def("presign_post", &presign_post, py::arg("key"), py::arg("expires"), py::arg("min_bytes"),
           py::arg("max_bytes"), py::arg("content_type"), py::arg("fields"), call, loop)
      .def(
          "probe",
          [](const S3Handle& self, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [s3 = self.s3](const Call& c) { return Row{s3->probe(c)}; });
          },
          call, loop)
      .def(
          "capabilities",
          [](const S3Handle& self, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [s3 = self.s3](const Call& c) { return Row{s3->capabilities(c)}; });
          },
          call, loop);
  bind_uploads(store);
}

}  // namespace penstock::python
