#include <atomic>
#include <tuple>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/base/clock.h"
#include "penstock/kv/glob.h"
#include "penstock/kv/memory_key_value.h"
#include "penstock/kv/redis_key_value.h"
#include "penstock/kv/sqlite_key_value.h"

#include "await.h"
#include "bind.h"
#include "convert.h"
#include "py_sink.h"

namespace penstock::python {
namespace {

using kv::KeyValue;
using kv::Ttl;

// Keys and values are bytes on both sides. Named here so that perform() finds their to_python().
struct Value {
  std::optional<std::string> bytes;
};
struct Entries {
  std::vector<kv::Entry> entries;
};
struct Keys {
  std::vector<std::string> keys;
};

py::object to_python(const Value& value) {
  return value.bytes ? py::object{py::bytes(*value.bytes)} : py::none();
}

py::object to_python(const Entries& found) {
  py::list out;
  for (const auto& [key, value] : found.entries) out.append(py::make_tuple(py::bytes(key), py::bytes(value)));
  return out;
}

py::object to_python(const Keys& found) {
  py::list out;
  for (const auto& key : found.keys) out.append(py::bytes(key));
  return out;
}

struct KeyValueHandle {
  std::shared_ptr<KeyValue> store;
};

// Pages of a scan.
class ScanHandle {
 public:
  ScanHandle(std::unique_ptr<kv::KeyScan> scan, CallPointer call)
      : scan_(std::move(scan)), call_(std::move(call)) {}
  const CallPointer& call() const { return call_; }
  Keys page(std::size_t most) {
    Exclusive use{busy_};
    Keys out;
    while (out.keys.size() < most) {
      auto key = scan_->next();
      if (!key) break;
      out.keys.push_back(std::move(*key));
    }
    return out;
  }

 private:
  std::unique_ptr<kv::KeyScan> scan_;
  CallPointer call_;
  std::atomic<bool> busy_{false};
};

Ttl ttl_from(std::optional<double> seconds) {
  return seconds ? Ttl{milliseconds(*seconds)} : Ttl{};
}

py::object put(const KeyValueHandle& self, const std::string& key, const py::buffer& value,
               std::optional<double> ttl, const CallPointer& state, const py::object& loop) {
  auto held = std::make_shared<Borrowed>(value);
  return perform(state, loop, [store = self.store, key, held, span = ttl_from(ttl)](const Call& call) {
    store->put(key, as_text(held->bytes()), span, call);
  });
}

// remove or exists
template <bool (KeyValue::*verb)(std::string_view, const Call&)>
py::object ask(const KeyValueHandle& self, const std::string& key, const CallPointer& state,
               const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, key](const Call& call) { return (store.get()->*verb)(key, call); });
}

py::object get(const KeyValueHandle& self, const std::string& key, const CallPointer& state,
               const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, key](const Call& call) { return Value{store->get(key, call)}; });
}

py::object range(const KeyValueHandle& self, const std::string& start, std::optional<std::string> end,
                 std::optional<std::size_t> limit, const CallPointer& state, const py::object& loop) {
  kv::RangeOptions options{std::move(end), limit};
  return perform(state, loop, [store = self.store, start, options = std::move(options)](const Call& call) {
    return Entries{store->range(start, options, call)};
  });
}

kv::RedisConfig redis_config(const std::string& host, std::uint16_t port, int db, const std::string& password,
                             bool tls, const std::string& ca_bundle, double timeout,
                             std::size_t max_connections) {
  return {.host = host,
          .port = port,
          .db = db,
          .password = password,
          .tls = tls,
          .ca_bundle = ca_bundle,
          .timeout = milliseconds(timeout),
          .max_connections = max_connections};
}

}  // namespace

void bind_kv(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();

  py::class_<ScanHandle, std::shared_ptr<ScanHandle>>(core, "KeyScan", plain_type())
      .def(
          "page",
          [](const std::shared_ptr<ScanHandle>& scan, std::size_t most, const py::object& loop_) {
            return perform(scan->call(), loop_, [scan, most](const Call&) { return scan->page(most); });
          },
          py::arg("most"), loop);

  py::class_<KeyValueHandle>(core, "KeyValue", plain_type())
      .def("put", &put, py::arg("key"), py::arg("value"), py::arg("ttl"), call, loop)
      .def("get", &get, py::arg("key"), call, loop)
      .def("remove", &ask<&KeyValue::remove>, py::arg("key"), call, loop)
      .def("exists", &ask<&KeyValue::exists>, py::arg("key"), call, loop)
      .def("range", &range, py::arg("start"), py::arg("end"), py::arg("limit"), call, loop)
      .def(
          "scan",
          [](const KeyValueHandle& self, const std::string& pattern, const CallPointer& state) {
            return std::make_shared<ScanHandle>(self.store->scan(pattern, state->call()), state);
          },
          py::arg("pattern"), call)
      .def(
          "count",
          [](const KeyValueHandle& self, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [store = self.store](const Call& c) { return store->count(c); });
          },
          call, loop)
      .def(
          "clear",
          [](const KeyValueHandle& self, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [store = self.store](const Call& c) { store->clear(c); });
          },
          call, loop)
      .def(
          "close",
          [](const KeyValueHandle& self, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [store = self.store](const Call&) { store->close(); });
          },
          call, loop)
      .def("location", [](const KeyValueHandle& self) { return text(self.store->location()); });

  core.def(
      "memory_kv",
      [](std::uint64_t max_bytes, std::shared_ptr<ManualClock> clock) {
        return KeyValueHandle{std::make_shared<kv::MemoryKeyValue>(
            kv::MemoryConfig{.max_bytes = max_bytes, .clock = std::move(clock)})};
      },
      py::arg("max_bytes"), py::arg("clock") = py::none());
  core.def(
      "sqlite_kv",
      [](std::string path, double busy_timeout, std::shared_ptr<ManualClock> clock) {
        return KeyValueHandle{std::make_shared<kv::SqliteKeyValue>(kv::SqliteConfig{
            .path = std::move(path), .busy_timeout = milliseconds(busy_timeout), .clock = std::move(clock)})};
      },
      py::arg("path"), py::arg("busy_timeout"), py::arg("clock") = py::none());
  core.def(
      "redis_kv",
      [](const std::string& host, std::uint16_t port, int db, const std::string& password, bool tls,
         const std::string& ca_bundle, double timeout, std::size_t max_connections) {
        return KeyValueHandle{std::make_shared<kv::RedisKeyValue>(
            redis_config(host, port, db, password, tls, ca_bundle, timeout, max_connections))};
      },
      py::arg("host"), py::arg("port"), py::arg("db"), py::arg("password"), py::arg("tls"),
      py::arg("ca_bundle"), py::arg("timeout"), py::arg("max_connections"));
  core.def(
      "escape_glob", [](const std::string& key) { return py::bytes(kv::escape_glob(key)); }, py::arg("key"));
}

}  // namespace penstock::python
