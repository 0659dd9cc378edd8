#include "py_store.h"

#include <pybind11/stl.h>

#include "convert.h"
#include "errors.h"
#include "py_sink.h"
#include "py_source.h"

namespace penstock::python {
namespace {

py::object native_source(const py::object& body) {
  return py::module_::import("penstock.streams").attr("native_source")(body);
}

class OpenObject : public store::ObjectSource {
 public:
  OpenObject(std::shared_ptr<SourceHandle> source, store::ObjectMeta meta, CallPointer state)
      : source_(std::move(source)), meta_(std::move(meta)), state_(std::move(state)) {}
  std::size_t read(MutableBytes buffer) override {
    try {
      return source_->read(buffer);
    } catch (const py::error_already_set& raised) {
      GilHeld gil;
      rethrow_ours(raised, state_);
    }
  }
  const store::ObjectMeta& meta() const override { return meta_; }

 private:
  std::shared_ptr<SourceHandle> source_;
  store::ObjectMeta meta_;
  CallPointer state_;
};

class PyListing : public store::Listing {
 public:
  PyListing(py::object iterator, CallPointer state)
      : iterator_(std::move(iterator)), state_(std::move(state)) {}
  std::optional<store::ObjectMeta> next() override {
    GilHeld gil;
    return raising_ours(
        [&]() -> std::optional<store::ObjectMeta> {
          py::object item = py::reinterpret_steal<py::object>(PyIter_Next(iterator_->ptr()));
          if (PyErr_Occurred()) throw py::error_already_set();
          if (!item) return std::nullopt;
          return meta_from(item);
        },
        state_);
  }

 private:
  Kept iterator_;
  CallPointer state_;
};

}  // namespace

std::optional<store::ObjectMeta> PyStore::find(std::string_view key, const Call&) {
  store::check_key(key);
  GilHeld gil;
  return raising_ours(
      [&]() -> std::optional<store::ObjectMeta> {
        py::object found = store_->attr("find")(text(key));
        if (found.is_none()) return std::nullopt;
        return meta_from(found);
      },
      state_);
}

std::unique_ptr<store::ObjectSource> PyStore::get(std::string_view key, const store::ReadOptions& options,
                                                  const Call& call) {
  auto meta = head(key, call);
  GilHeld gil;
  return raising_ours(
      [&]() -> std::unique_ptr<store::ObjectSource> {
        py::dict kwargs;
        if (options.range)
          kwargs["range"] = py::make_tuple(options.range->first, options.range->last, options.range->suffix);
        if (!options.if_match.empty()) kwargs["if_match"] = text(options.if_match);
        py::object body = native_source(store_->attr("get")(text(key), **kwargs));
        return std::make_unique<OpenObject>(body.cast<std::shared_ptr<SourceHandle>>(), std::move(meta),
                                            state_);
      },
      state_);
}

std::unique_ptr<Sink> PyStore::open_writer(std::string_view key, const store::WriteOptions& options,
                                           const Call&) {
  store::check_key(key);
  const std::string where = location(key);
  GilHeld gil;
  return raising_ours(
      [&]() -> std::unique_ptr<Sink> {
        py::object writer = store_->attr("open_writer")(text(key), **from_write_options(options));
        return std::make_unique<PySink>(std::move(writer), std::string{key}, where, options, state_);
      },
      state_);
}

std::unique_ptr<store::Listing> PyStore::list(std::string_view prefix, const store::ListOptions& options,
                                              const Call&) {
  GilHeld gil;
  return raising_ours(
      [&]() -> std::unique_ptr<store::Listing> {
        py::object listed =
            store_->attr("list")(text(prefix), py::arg("start_after") = text(options.start_after));
        return std::make_unique<PyListing>(py::iter(listed), state_);
      },
      state_);
}

void PyStore::remove(std::string_view key, const store::RemoveOptions& options, const Call&) {
  store::check_key(key);
  GilHeld gil;
  raising_ours(
      [&] {
        if (options.if_match.empty()) return store_->attr("remove")(text(key));
        return store_->attr("remove")(text(key), py::arg("if_match") = text(options.if_match));
      },
      state_);
}

std::shared_ptr<store::ObjectStore> PyStore::with_bucket(std::string_view bucket) {
  GilHeld gil;
  if (!py::hasattr(*store_, "with_bucket")) return ObjectStore::with_bucket(bucket);
  return std::make_shared<PyStore>(
      raising_ours([&] { return Kept{store_->attr("with_bucket")(text(bucket))}; }, state_), state_);
}

std::string PyStore::location(std::string_view key) const {
  GilHeld gil;
  if (py::hasattr(*store_, "location"))
    return py::str(store_->attr("location")(text(key))).cast<std::string>();
  return py::str(py::type::of(*store_).attr("__name__")).cast<std::string>() + ":" + std::string{key};
}

}  // namespace penstock::python
