#include "py_reader.h"

#include "penstock/store/object_reader.h"

#include "await.h"
#include "convert.h"
#include "py_source.h"

namespace penstock::python {
namespace {

// An object that can be read anywhere, and the store it is in.
class ReaderHandle : public SourceHandle {
 public:
  ReaderHandle(const std::shared_ptr<store::ObjectStore>& store, const std::string& key,
               const store::ReadOptions& options, const CallPointer& call)
      : SourceHandle(std::make_unique<Owned>(store, key, options, call->call()), call) {}
  void seek(std::uint64_t offset) {
    const Exclusive use = exclusive();
    reader().seek(offset);
  }
  std::uint64_t tell() const {
    const Exclusive use = exclusive();
    return reader().tell();
  }
  store::ObjectMeta meta() const {
    const Exclusive use = exclusive();
    return reader().meta();
  }

 private:
  struct Holder {
    std::shared_ptr<store::ObjectStore> held;
  };
  struct Owned : Holder, store::ObjectReader {
    Owned(const std::shared_ptr<store::ObjectStore>& store, const std::string& key,
          const store::ReadOptions& options, const Call& call)
        : Holder{store}, store::ObjectReader(*store, key, options, call) {}
  };
  store::ObjectReader& reader() const {
    if (!source()) throw std::invalid_argument("the stream is closed");
    return static_cast<Owned&>(*source());
  }
};

}  // namespace

py::object open_reader(const StoreHandle& self, const std::string& key, std::string if_match,
                       std::string version, std::string customer_key, const CallPointer& state,
                       const py::object& loop) {
  store::ReadOptions options{std::nullopt, std::move(if_match), std::move(version), std::move(customer_key)};
  return perform(state, loop, [store = self.store, key, options, state](const Call&) {
    return std::make_shared<ReaderHandle>(store, key, options, state);
  });
}

void bind_reader(py::module_& core) {
  py::class_<ReaderHandle, SourceHandle, std::shared_ptr<ReaderHandle>>(core, "Reader", plain_type())
      .def("seek", &ReaderHandle::seek, py::arg("offset"))
      .def("tell", &ReaderHandle::tell)
      .def_property_readonly("meta", [](const ReaderHandle& reader) { return to_python(reader.meta()); });
}

}  // namespace penstock::python
