#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "await.h"
#include "bind.h"
#include "bundle_handle.h"
#include "bundle_values.h"
#include "py_source.h"

namespace penstock::python {
namespace {

using bundles::StagedBundle;

// A step of completing that takes only a Call.
template <auto step>
py::object take_step(const BundlePointer& self, const CallPointer& state, const py::object& loop) {
  return perform(state, loop, [self](const Call& call) { return ((**self).*step)(call); });
}

}  // namespace

void bind_bundle(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  py::class_<BundleHandle, BundlePointer>(core, "Bundle", plain_type())
      .def("add", &add_resource<BundleHandle>, py::arg("resource"), py::arg("body"), call, loop)
      .def("open_group",
           [](const BundlePointer& self) {
             const GilReleased release;  // it has a file of its own
             return std::make_shared<GroupHandle>(self, (**self).open_group());
           })
      .def(
          "finish",
          [](const BundlePointer& self, const std::string& metadata, const CallPointer& state,
             const py::object& on) {
            return perform(state, on, [self, json = json_from(metadata)](const Call& c) {
              return (**self).finish(json, c);
            });
          },
          py::arg("metadata"), call, loop)
      .def("begin", &take_step<&StagedBundle::begin>, call, loop)
      .def(
          "restate",
          [](const BundlePointer& self, const py::dict& ref) { (**self).restate(bundle_ref_from(ref)); },
          py::arg("ref"))
      .def(
          "seal",
          [](const BundlePointer& self, const std::string& metadata, const CallPointer& state,
             const py::object& on) {
            return perform(state, on, [self, json = json_from(metadata)](const Call& c) {
              return (**self).seal(json, c).receipt;
            });
          },
          py::arg("metadata"), call, loop)
      .def("write_pending", &take_step<&StagedBundle::write_pending>, call, loop)
      .def("commit", &take_step<&StagedBundle::commit>, call, loop)
      .def("clean_up", &take_step<&StagedBundle::clean_up>, call, loop)
      .def("remove_pending", &take_step<&StagedBundle::remove_pending>, call, loop)
      .def("completed", [](const BundlePointer& self) { (**self).completed(); })
      .def(
          "failed",
          [](const BundlePointer& self, const std::string& why) {
            const auto lifecycle = (**self).lifecycle();
            lifecycle->fail(std::make_exception_ptr(Error{Kind::lost, why}));
            if (lifecycle->state() == bundles::State::abandoned) aside([lifecycle] { lifecycle->discard(); });
          },
          py::arg("why"))
      .def(
          "abort",
          [](const BundlePointer& self, const std::string& why, const CallPointer& state,
             const py::object& on) {
            return perform(state, on, [self, why](const Call&) { (**self).abort(why); });
          },
          py::arg("why"), call, loop)
      .def_property_readonly("state",
                             [](const BundlePointer& self) { return text(to_string((**self).state())); })
      .def_property_readonly("committed", [](const BundlePointer& self) { return (**self).committed(); })
      .def_property_readonly("pending_record",
                             [](const BundlePointer& self) { return text((**self).pending_record()); })
      .def_property_readonly("receipt",
                             [](const BundlePointer& self) { return to_python((**self).receipt()); })
      .def_property_readonly("ref", [](const BundlePointer& self) { return to_python(self->ref()); });

  py::class_<GroupHandle, GroupPointer>(core, "BundleGroup", plain_type())
      .def("add", &add_resource<GroupHandle>, py::arg("resource"), py::arg("body"), call, loop)
      .def(
          "skip",
          [](const GroupPointer& self, const py::dict& resource, const std::string& why) {
            const bundles::Resource what = resource_from(resource);
            const auto group = self->group();
            const GilReleased release;
            group->skip(what, why);
          },
          py::arg("resource"), py::arg("why"))
      .def(
          "fail",
          [](const GroupPointer& self, const py::dict& resource, const std::string& kind) {
            const bundles::Resource what = resource_from(resource);
            const auto group = self->group();
            const GilReleased release;
            group->fail(what, kind);
          },
          py::arg("resource"), py::arg("kind"))
      .def(
          "withdraw",
          [](const GroupPointer& self, std::uint64_t number, const std::string& why) {
            self->group()->withdraw(number, why);
          },
          py::arg("number"), py::arg("why"))
      .def(
          "keep",
          [](const GroupPointer& self, const CallPointer& state, const py::object& on) {
            return perform(state, on, [group = self->group()](const Call&) { group->keep(); });
          },
          call, loop)
      .def("close", &GroupHandle::close);
}

}  // namespace penstock::python
