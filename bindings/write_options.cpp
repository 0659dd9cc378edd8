#include "convert.h"

namespace penstock::python {
namespace {

template <class Value>
void take(const py::dict& options, const char* name, Value& into) {
  if (options.contains(name) && !options[name].is_none()) into = options[name].cast<Value>();
}

template <class Value>
void take(const py::dict& options, const char* name, std::optional<Value>& into) {
  if (options.contains(name) && !options[name].is_none()) into = options[name].cast<Value>();
}

}  // namespace

store::WriteOptions write_options(const py::dict& options) {
  store::WriteOptions out;
  std::string mode = "overwrite", etag;
  take(options, "mode", mode);
  take(options, "if_match", etag);
  out.mode = mode_from(mode, etag);
  take(options, "length", out.length);
  take(options, "length_hint", out.length_hint);
  std::map<std::string, std::string> expected;
  take(options, "expected", expected);
  for (const auto& [algorithm, text] : expected)
    out.expected.push_back(Digest::parse(parse_algorithm(algorithm), text));
  take(options, "content_type", out.content_type);
  take(options, "content_encoding", out.content_encoding);
  take(options, "content_disposition", out.content_disposition);
  take(options, "cache_control", out.cache_control);
  take(options, "metadata", out.metadata);
  take(options, "tags", out.tags);
  take(options, "storage_class", out.storage_class);
  take(options, "sse", out.sse);
  take(options, "kms_key_id", out.kms_key_id);
  take(options, "checksum", out.checksum);
  take(options, "part_bytes", out.part_bytes);
  take(options, "max_parts_in_flight", out.max_parts_in_flight);
  take(options, "token", out.token);
  take(options, "from_version", out.from_version);
  take(options, "from_if_match", out.from_if_match);
  take(options, "sse_customer_key", out.sse_customer_key);
  take(options, "from_sse_customer_key", out.from_sse_customer_key);
  take(options, "relay", out.relay);
  if (options.contains("spool_dir"))
    out.spool_dir.emplace(options["spool_dir"].cast<std::optional<std::string>>());
  return out;
}

py::dict from_write_options(const store::WriteOptions& options) {
  using store::Mode;
  py::dict out;
  auto give = [&](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = text(value);
  };
  if (options.mode.kind == Mode::Kind::create) out["mode"] = "create";
  if (options.mode.kind == Mode::Kind::if_match) out["if_match"] = text(options.mode.etag);
  if (options.length) out["length"] = *options.length;
  give("content_type", options.content_type);
  give("content_encoding", options.content_encoding);
  give("content_disposition", options.content_disposition);
  give("cache_control", options.cache_control);
  if (!options.metadata.empty()) out["metadata"] = texts(options.metadata);
  if (!options.tags.empty()) out["tags"] = texts(options.tags);
  give("storage_class", options.storage_class);
  give("sse", options.sse);
  give("kms_key_id", options.kms_key_id);
  return out;
}

}  // namespace penstock::python
