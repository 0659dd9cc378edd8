#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/bundles/bundle_zip.h"
#include "penstock/bundles/zip_bundles.h"

#include "await.h"
#include "bind.h"
#include "bundle_handle.h"
#include "bundle_values.h"
#include "py_source.h"

namespace penstock::python {
namespace {

// A zip of a bundle that Python owns. Its calls run in parallel.
class BundleZipHandle {
 public:
  BundleZipHandle(const std::string& spool_dir, CallPointer call)
      : call_(std::move(call)),
        zip_(std::in_place, bundles::BundleZip::Options{.name = std::string{bundles::kBundleZip},
                                                        .spool_folder = spool_dir,
                                                        .stop = call_->call().stop}) {}
  ~BundleZipHandle() {
    const Ungil ungil;
    zip_.reset();
  }
  bundles::BundleZip& operator*() { return *zip_; }
  const CallPointer& call() const { return call_; }

 private:
  CallPointer call_;
  std::optional<bundles::BundleZip> zip_;
};
using BundleZipPointer = std::shared_ptr<BundleZipHandle>;

class ZipBytes : public Source {
 public:
  explicit ZipBytes(BundleZipPointer of) : of_(std::move(of)) {}
  std::size_t read(MutableBytes buffer) override { return (**of_).source().read(buffer); }

 private:
  BundleZipPointer of_;
};

}  // namespace

void bind_bundle_zip(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  py::class_<BundleZipHandle, BundleZipPointer>(core, "BundleZip", plain_type())
      .def("add", &add_resource<BundleZipHandle>, py::arg("resource"), py::arg("body"), call, loop)
      .def("open_group",
           [](const BundleZipPointer& self) {
             const GilReleased release;  // it has files of its own
             return std::make_shared<GroupHandle>(self, (**self).open_group());
           })
      .def(
          "finish",
          [](const BundleZipPointer& self, const py::object& on) {
            return perform(self->call(), on, [self](const Call&) { (**self).finish(); });
          },
          loop)
      .def(
          "abort", [](const BundleZipPointer& self, const std::string& why) { (**self).abort(why); },
          py::arg("why"), py::call_guard<GilReleased>())
      // Nobody reads it any more.
      .def(
          "reader_failed",
          [](const BundleZipPointer& self, const std::string& why) {
            (**self).reader_failed(
                std::make_exception_ptr(Error{Kind::lost, why, {.side = Side::sink, .code = "reader_gone"}}));
          },
          py::arg("why"), py::call_guard<GilReleased>())
      .def_property_readonly("source", [](const BundleZipPointer& self) {
        return std::make_shared<SourceHandle>(std::make_unique<ZipBytes>(self), self->call());
      });
  core.def("bundle_zip", [](const std::string& spool_dir, const CallPointer& state) {
    return std::make_shared<BundleZipHandle>(spool_dir, state);
  });
  core.def("bundle_zip_url", [](const std::string& bid) { return bundles::bundle_zip_url(bid); });
  // A zip and its members, into a bundle of the core.
  core.def(
      "add_bundle_zip",
      [](const BundlePointer& to, const py::dict& resource, const BundleZipPointer& zip,
         const CallPointer& state, const py::object& on) {
        return perform(state, on, [to, resource = resource_from(resource), zip](const Call& c) {
          return (**to).add_container(resource, (**zip).source(), (**zip).members(), c);
        });
      },
      py::arg("to"), py::arg("resource"), py::arg("zip"), call, loop);
}

}  // namespace penstock::python
