#include <memory>
#include <tuple>
#include <utility>
#include <variant>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/s3/s3_store.h"
#include "penstock/store/folder_store.h"
#include "penstock/store/memory_store.h"

#include "await.h"
#include "bind.h"
#include "convert.h"
#include "py_listing.h"
#include "py_reader.h"
#include "py_sink.h"
#include "py_source.h"
#include "py_store.h"

namespace penstock::python {
namespace {

// A get() on its way to Python.
struct Opened {
  std::unique_ptr<store::ObjectSource> source;
  CallPointer call;
};

// Its meta() becomes Python's when it is asked for: that takes more than all the rest of a small get().
class ObjectHandle : public SourceHandle {
 public:
  ObjectHandle(store::ObjectMeta meta, std::unique_ptr<store::ObjectSource> source, CallPointer call)
      : SourceHandle(std::move(source), std::move(call)), meta_(std::move(meta)) {}
  const store::ObjectMeta& meta() const { return meta_; }

 private:
  const store::ObjectMeta meta_;
};

py::object to_python(Opened opened) {
  store::ObjectMeta meta = opened.source->meta();
  return py::cast(
      std::make_shared<ObjectHandle>(std::move(meta), std::move(opened.source), std::move(opened.call)));
}

// head, find or exists
template <auto verb>
py::object look(const StoreHandle& self, const std::string& key, const CallPointer& state,
                const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, key](const Call& call) { return (store.get()->*verb)(key, call); });
}

// A get() that no worker waits for.
class GotLater : public Completion<Opened> {
 public:
  GotLater(Kept loop, Kept future, CallPointer state)
      : Completion(std::move(loop), std::move(future)), state_(std::move(state)) {}
  void take(std::variant<std::unique_ptr<store::ObjectSource>, Error> got) {
    auto job = [&](const Call&) {
      if (auto* error = std::get_if<Error>(&got)) throw std::move(*error);
      return Opened{std::get<0>(std::move(got)), state_};
    };
    work(*state_, job);
  }

 private:
  CallPointer state_;
  Runtime::UnderWay under_way_{state_, Runtime::Waiter::future};
};

// A future; null if it is not such a get.
py::object get_later(const StoreHandle& self, const std::string& key, const store::ReadOptions& options,
                     const CallPointer& state, const py::object& loop) {
  auto* const s3 = dynamic_cast<s3::S3Store*>(self.store.get());
  if (!s3 || loop.is_none() || !s3->submits(options)) return {};
  py::object future = loop.attr("create_future")();
  auto later = std::make_shared<std::unique_ptr<GotLater>>(
      std::make_unique<GotLater>(Kept{loop}, Kept{future}, state));
  {
    GilReleased release;
    s3->submit_get(key, options, state->call(), [later](auto got) {
      (*later)->take(std::move(got));
      Runtime::instance().tell(std::move(*later));
    });
  }
  return future;
}

py::object get(const StoreHandle& self, const std::string& key, const py::object& range, std::string if_match,
               std::string version, std::string customer_key, const CallPointer& state,
               const py::object& loop) {
  store::ReadOptions options{range_from(range), std::move(if_match), std::move(version),
                             std::move(customer_key)};
  if (py::object future = get_later(self, key, options, state, loop)) return future;
  return perform(state, loop, [store = self.store, key, options, state](const Call& call) {
    return Opened{store->get(key, options, call), state};
  });
}

py::object get_file(const StoreHandle& self, const std::string& key, const std::string& path,
                    const std::string& if_match, const std::string& version, const std::string& customer_key,
                    const std::string& mode, int lanes, const CallPointer& state, const py::object& loop) {
  const store::FileOptions options{.if_match = if_match,
                                   .version_id = version,
                                   .sse_customer_key = customer_key,
                                   .create = mode_from(mode).kind == store::Mode::Kind::create,
                                   .lanes = lanes};
  return perform(state, loop, [store = self.store, key, path, options](const Call& call) {
    return store->get_file(key, path, options, call);
  });
}

py::object put_source(const StoreHandle& self, const std::string& key,
                      const std::shared_ptr<SourceHandle>& source, const py::dict& options,
                      const CallPointer& state, const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, key, source, options = write_options(options)](const Call& call) {
                   Attentive attentive{*source, call};
                   return store->put(key, attentive, options, call);
                 });
}

py::object put_bytes(const StoreHandle& self, const std::string& key, const py::buffer& data,
                     const py::dict& options, const CallPointer& state, const py::object& loop) {
  auto held = std::make_shared<Borrowed>(data);
  return perform(state, loop,
                 [store = self.store, key, held, options = write_options(options)](const Call& call) {
                   return store->put(key, held->bytes(), options, call);
                 });
}

py::object open_writer(const StoreHandle& self, const std::string& key, const py::dict& options,
                       const CallPointer& state, const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, key, options = write_options(options), state](const Call& call) {
                   return std::make_shared<SinkHandle>(store->open_writer(key, options, call), state);
                 });
}

// `source`: the store to copy out of.
py::object copy(const StoreHandle& self, const std::string& from, const std::string& to,
                const StoreHandle& source, const py::dict& options, const CallPointer& state,
                const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, from, to, source = source.store, options = write_options(options)](
                     const Call& call) { return store->copy_from(*source, from, to, options, call); });
}

py::object move(const StoreHandle& self, const std::string& from, const std::string& to,
                const py::dict& options, const CallPointer& state, const py::object& loop) {
  return perform(state, loop,
                 [store = self.store, from, to, options = write_options(options)](const Call& call) {
                   return store->move(from, to, options, call);
                 });
}

}  // namespace

void bind_store(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();

  bind_listing(core);
  bind_reader(core);

  py::class_<ObjectHandle, SourceHandle, std::shared_ptr<ObjectHandle>>(core, "ObjectSource", plain_type())
      .def("meta", [](const ObjectHandle& object) { return to_python(object.meta()); });

  py::class_<StoreHandle>(core, "Store", plain_type())
      .def("head", &look<&store::ObjectStore::head>, py::arg("key"), call, loop)
      .def("find", &look<&store::ObjectStore::find>, py::arg("key"), call, loop)
      .def("exists", &look<&store::ObjectStore::exists>, py::arg("key"), call, loop)
      .def("get", &get, py::arg("key"), py::arg("range"), py::arg("if_match"), py::arg("version"),
           py::arg("customer_key"), call, loop)
      .def("get_file", &get_file, py::arg("key"), py::arg("path"), py::arg("if_match"), py::arg("version"),
           py::arg("customer_key"), py::arg("mode"), py::arg("lanes"), call, loop)
      .def("open_reader", &open_reader, py::arg("key"), py::arg("if_match"), py::arg("version"),
           py::arg("customer_key"), call, loop)
      .def("put_source", &put_source, py::arg("key"), py::arg("source"), py::arg("options"), call, loop)
      .def("put_bytes", &put_bytes, py::arg("key"), py::arg("data"), py::arg("options"), call, loop)
      .def("open_writer", &open_writer, py::arg("key"), py::arg("options"), call, loop)
      .def("list", &list, py::arg("prefix"), py::arg("start_after"), call, loop)
      .def("list_with_delimiter", &list_with_delimiter, py::arg("prefix"), py::arg("delimiter"),
           py::arg("start_after"), call, loop)
      .def(
          "remove",
          [](const StoreHandle& self, const std::string& key, const std::string& if_match,
             const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_, [store = self.store, key, if_match](const Call& c) {
              store->remove(key, {if_match}, c);
            });
          },
          py::arg("key"), py::arg("if_match"), call, loop)
      .def(
          "remove_many",
          [](const StoreHandle& self, std::vector<std::string> keys, const CallPointer& state,
             const py::object& loop_) {
            return perform(state, loop_, [store = self.store, keys = std::move(keys)](const Call& c) {
              return store->remove_many(keys, c);
            });
          },
          py::arg("keys"), call, loop)
      .def("copy", &copy, py::arg("from_key"), py::arg("to_key"), py::arg("source"), py::arg("options"), call,
           loop)
      .def("move", &move, py::arg("from_key"), py::arg("to_key"), py::arg("options"), call, loop)
      .def(
          "with_bucket",
          [](const StoreHandle& self, const std::string& bucket) {
            return StoreHandle{self.store->with_bucket(bucket)};
          },
          py::call_guard<GilReleased>())
      .def(
          "location",
          [](const StoreHandle& self, const std::string& key) { return self.store->location(key); },
          py::call_guard<GilReleased>());

  core.def("memory_store", [] { return StoreHandle{std::make_shared<store::MemoryStore>()}; });
  core.def(
      "folder_store",
      [](const std::string& path) { return StoreHandle{std::make_shared<store::FolderStore>(path)}; },
      py::call_guard<GilReleased>());
  core.def("python_store",
           [](py::object user) { return StoreHandle{std::make_shared<PyStore>(Kept{std::move(user)})}; });
}

}  // namespace penstock::python
