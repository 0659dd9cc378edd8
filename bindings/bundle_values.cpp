#include "bundle_values.h"

#include <pybind11/stl.h>

#include "penstock/base/json.h"
#include "penstock/bundles/documents.h"

#include "bind.h"
#include "convert.h"
#include "errors.h"
#include "runtime.h"

namespace penstock::python {
namespace {

constexpr std::size_t kMaxMetadataBytes = 16 << 20;

template <class Value>
void set(const py::dict& given, const char* name, Value& value) {
  if (given.contains(name)) value = given[name].cast<Value>();
}

// The value that `given[name]` is the name of; the first is the default.
template <class Value>
Value one_of(const py::dict& given, const char* name,
             std::initializer_list<std::pair<std::string_view, Value>> values) {
  if (!given.contains(name)) return values.begin()->second;
  const auto text = given[name].cast<std::string>();
  for (const auto& [word, value] : values)
    if (word == text) return value;
  std::string words;
  for (const auto& [word, value] : values) words += (words.empty() ? "" : ", ") + std::string{word};
  throw Error{Kind::refused, std::string{name} + " is \"" + text + "\": give one of " + words};
}

}  // namespace

py::object to_python(const bundles::BundleRef& ref) {
  py::dict out;
  out["primary_url"] = text(ref.primary_url);
  out["resources_count"] = ref.resources_count;
  out["bid"] = text(ref.bid);
  out["storage_key"] = ref.storage_key ? py::object(text(*ref.storage_key)) : py::none();
  out["meta"] = text(bundles::compact(ref.meta));
  return out;
}

bundles::BundleRef bundle_ref_from(const py::dict& ref) {
  return {.primary_url = ref["primary_url"].cast<std::string>(),
          .resources_count = ref["resources_count"].cast<std::int64_t>(),
          .bid = ref["bid"].cast<std::string>(),
          .storage_key = ref["storage_key"].cast<std::optional<std::string>>(),
          .meta = json_from(ref["meta"].cast<std::string>())};
}

bundles::Resource resource_from(const py::dict& given) {
  bundles::Resource resource{.url = given["url"].cast<std::string>(),
                             .content_type = given["content_type"].cast<std::optional<std::string>>(),
                             .status_code = given["status_code"].cast<int>()};
  if (given.contains("derived_from") && !given["derived_from"].is_none()) {
    auto [url, bytes, codec] =
        given["derived_from"].cast<std::tuple<std::string, std::optional<std::uint64_t>, std::string>>();
    resource.derived_from = bundles::DerivedFrom{url, bytes, codec};
  }
  if (given.contains("mismatch")) resource.mismatch = given["mismatch"].cast<bool>();
  return resource;
}

py::object to_python(const std::optional<bundles::DerivedFrom>& from) {
  return from ? py::object(py::make_tuple(text(from->url), from->bytes, text(from->codec))) : py::none();
}

py::object to_python(const bundles::StoredResource& stored) {
  return py::make_tuple(text(stored.name), text(stored.location), stored.bytes, stored.sha256);
}

py::object to_python(const bundles::BundleReceipt& receipt) {
  py::dict out;
  out["storage_key"] = text(receipt.storage_key);
  out["location"] = text(receipt.location);
  out["resources_stored"] = receipt.resources_stored;
  out["resources_failed"] = receipt.resources_failed;
  out["bytes"] = receipt.bytes;
  out["manifest_sha256"] = receipt.manifest_sha256;
  out["completed_at"] = receipt.completed_at;
  return out;
}

py::object to_python(const bundles::RecoveryReport& report) {
  py::dict out;
  out["recovered"] = report.recovered;
  out["discarded"] = report.discarded;
  out["left"] = report.left;
  out["malformed"] = report.malformed;
  out["failed"] = report.failed;
  out["swept"] = report.swept;
  out["out_of_time"] = report.out_of_time;
  return out;
}

py::object to_python(const std::vector<bundles::Judged>& judged) {
  py::list out;
  for (const auto& one : judged)
    out.append(one.error ? to_python(*one.error) : py::object{text(to_string(*one.verdict))});
  return out;
}

py::object to_python(const std::map<std::string, Error>& errors) {
  py::dict out;
  for (const auto& [name, error] : errors) out[text(name)] = to_python(error);
  return out;
}

py::object to_python(const std::vector<std::string>& texts) {
  py::list out;
  for (const std::string& each : texts) out.append(text(each));
  return out;
}

bundles::Json json_from(const std::string& given) {
  try {
    parse_json(given, kMaxJsonDepth, kMaxMetadataBytes);
  } catch (const Error& error) {
    throw Error{Kind::refused, "the metadata is no JSON within limits: " + error.message()};
  }
  bundles::Json json = bundles::Json::parse(given);
  if (!json.is_object()) throw Error{Kind::refused, "the metadata is no JSON object"};
  return json;
}

bundles::Services services_from(const py::dict& options) {
  using bundles::CallbackErrors, bundles::Pending, bundles::PublishErrors;
  bundles::Services services;
  set(options, "strict", services.strict);
  services.pending_policy = one_of<Pending>(
      options, "pending",
      {{"required", Pending::required}, {"best_effort", Pending::best_effort}, {"off", Pending::off}});
  services.callback_errors = one_of<CallbackErrors>(
      options, "callback_errors", {{"log", CallbackErrors::log}, {"raise", CallbackErrors::raise}});
  services.publish_errors = one_of<PublishErrors>(
      options, "publish_errors", {{"raise", PublishErrors::raise}, {"defer", PublishErrors::defer}});
  set(options, "pending_without_callbacks", services.pending_without_callbacks);
  if (options.contains("queue"))
    services.notifier = std::make_shared<bundles::SqsNotifier>(options["queue"].cast<Queue&>().client);
  services.log = Runtime::instance().log_sink();
  services.on_abandoned = [log = services.log](const std::string& bid, std::string_view why) {
    bundles::Json fields;
    fields["bundle_id"] = bid;
    fields["why"] = why;
    log(LogLevel::warning, "bundles#BUNDLE_ABANDONED", bundles::compact(fields));
  };
  return services;
}

bundles::FolderBundlesOptions folder_options(const py::dict& options) {
  using bundles::Abandoned;
  bundles::FolderBundlesOptions out;
  set(options, "create", out.create);
  out.abandoned = one_of<Abandoned>(options, "abandoned",
                                    {{"quarantine", Abandoned::quarantine}, {"discard", Abandoned::discard}});
  set(options, "legacy_repr", out.legacy_repr);
  out.services = services_from(options);
  return out;
}

bundles::ObjectBundlesOptions object_options(const py::dict& options) {
  bundles::ObjectBundlesOptions out;
  set(options, "prefix", out.prefix);
  if (options.contains("layout")) out.layout = bundles::parse_layout(options["layout"].cast<std::string>());
  if (options.contains("sweep_after")) out.sweep_after = milliseconds(options["sweep_after"].cast<double>());
  set(options, "claims", out.claims);
  set(options, "looks", out.looks);
  out.services = services_from(options);
  return out;
}

}  // namespace penstock::python
