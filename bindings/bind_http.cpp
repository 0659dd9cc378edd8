#include <memory>
#include <mutex>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/http/client.h"
#include "penstock/http/versions.h"

#include "await.h"
#include "bind.h"

namespace penstock::python {
namespace {

std::mutex making;
bool made = false;

template <class Value, class Take>
void take(const py::dict& options, const char* name, Take&& give) {
  if (options.contains(name) && !options[name].is_none()) give(options[name].cast<Value>());
}

http::AddressPolicy guard_from(const py::object& guard) {
  if (py::isinstance<py::str>(guard)) return http::AddressPolicy::parse(guard.cast<std::string>());
  return http::AddressPolicy::custom(guard.attr("allow").cast<std::vector<std::string>>(),
                                     guard.attr("deny").cast<std::vector<std::string>>());
}

http::ClientOptions client_options(const py::dict& options) {
  http::ClientOptions out;
  take<int>(options, "connections_per_host", [&](int n) { out.connections_per_host = n; });
  take<int>(options, "connections", [&](int n) { out.connections = n; });
  take<double>(options, "slot_wait", [&](double s) { out.slot_wait = milliseconds(s); });
  take<double>(options, "idle_connection", [&](double s) { out.idle_connection = milliseconds(s); });
  take<double>(options, "connection_life", [&](double s) { out.connection_life = milliseconds(s); });
  take<double>(options, "connect", [&](double s) { out.connect = milliseconds(s); });
  take<double>(options, "first_byte", [&](double s) { out.first_byte = milliseconds(s); });
  take<double>(options, "stall_window", [&](double s) { out.stall_window = milliseconds(s); });
  take<std::size_t>(options, "ring_bytes", [&](std::size_t n) {
    if (n < 64_KiB) throw Error{Kind::refused, "ring_bytes must be 64 KiB to 8 MiB"};
    out.ring_bytes = n;
  });
  take<bool>(options, "bulk", [&](bool on) { out.bulk = on; });
  take<std::string>(options, "retry_mode", [&](const std::string& mode) {
    check_one_of("retry_mode", mode, {"standard", "legacy"});
    out.retry_mode = mode == "legacy" ? http::RetryMode::legacy : http::RetryMode::standard;
  });
  take<int>(options, "max_attempts", [&](int n) { out.max_attempts = n; });
  take<double>(options, "max_retry_after", [&](double s) { out.max_retry_after = milliseconds(s); });
  if (options.contains("proxy"))
    out.proxy = options["proxy"].is_none() ? "" : options["proxy"].cast<std::string>();
  take<std::string>(options, "ca_bundle", [&](std::string path) { out.ca_bundle = std::move(path); });
  take<bool>(options, "insecure_skip_verify", [&](bool on) { out.insecure_skip_verify = on; });
  if (options.contains("guard")) out.guard = guard_from(options["guard"]);
  take<bool>(options, "guard_via_proxy", [&](bool on) { out.guard_via_proxy = on; });
  take<std::string>(options, "user_agent", [&](std::string agent) { out.user_agent = std::move(agent); });
  out.log = Runtime::instance().log_sink();
  return out;
}

py::dict to_dict(const http::HostStatistics& host) {
  py::dict out;
  out["open"] = host.open;
  out["idle"] = host.idle;
  out["waiting"] = host.waiting;
  out["created"] = host.created;
  out["reused"] = host.reused;
  out["requests"] = host.requests;
  out["waited_seconds"] = host.waited_seconds;
  out["failed_by_kind"] = host.failed_by_kind;
  return out;
}

py::dict statistics(const http::Client& client) {
  http::Statistics s;
  {
    GilReleased release;
    s = client.statistics();
  }
  py::dict out, hosts;
  for (const auto& [name, host] : s.hosts) hosts[py::str(name)] = to_dict(host);
  out["hosts"] = hosts;
  out["retries_by_class"] = s.retries_by_class;
  out["quota_tokens"] = s.quota_tokens;
  out["resumes"] = s.resumes;
  out["restarts"] = s.restarts;
  out["bytes_in"] = s.bytes_in;
  out["bytes_out"] = s.bytes_out;
  out["ring_bytes"] = s.ring_bytes;
  out["buffers_used"] = s.buffers_used;
  out["buffers_peak"] = s.buffers_peak;
  out["budget_used"] = s.budget_used;
  out["budget_peak"] = s.budget_peak;
  out["budget_overdraft"] = s.budget_overdraft;
  out["parts_in_flight"] = s.parts_in_flight;
  out["parts_retried"] = s.parts_retried;
  out["uploads_open"] = s.uploads_open;
  out["uploads_aborted"] = s.uploads_aborted;
  out["uploads_orphaned"] = s.uploads_orphaned;
  out["credential_fetches"] = s.credential_fetches;
  out["skew_corrections"] = s.skew_corrections;
  out["guard_blocks"] = s.guard_blocks;
  out["chores"] = s.chores;
  return out;
}

}  // namespace

std::shared_ptr<http::Client> default_client() {
  std::lock_guard lock{making};
  if (!std::exchange(made, true)) {
    http::ClientOptions options;
    options.log = Runtime::instance().log_sink();
    http::Client::set_process_default(std::make_shared<http::Client>(std::move(options)));
  }
  return http::Client::process_default();
}

void close_default_client() {
  if (!made) return;
  GilReleased release;
  default_client()->close();
}

void bind_http(py::module_& core) {
  py::class_<http::Client, std::shared_ptr<http::Client>>(core, "Client", plain_type())
      .def(py::init(
          [](const py::dict& options) { return std::make_shared<http::Client>(client_options(options)); }))
      .def("statistics", &statistics)
      .def(
          "drain",
          [](const std::shared_ptr<http::Client>& client, const CallPointer& state, const py::object& loop) {
            return perform(state, loop, [client](const Call& call) { client->drain(call); });
          },
          py::arg("call"), py::arg("loop") = py::none())
      .def(
          "close",
          [](const std::shared_ptr<http::Client>& client, const py::object& loop) {
            return perform(std::make_shared<CallState>(), loop, [client](const Call&) { client->close(); });
          },
          py::arg("loop") = py::none());
  core.def("library_versions", &http::library_versions);
  core.def("default_client", &default_client);
  core.def("set_default_client", [](std::shared_ptr<http::Client> client) {
    std::lock_guard lock{making};
    made = true;
    http::Client::set_process_default(std::move(client));
  });
}

}  // namespace penstock::python
