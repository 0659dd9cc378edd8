#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/bundles/folder_bundles.h"
#include "penstock/bundles/names.h"
#include "penstock/bundles/object_bundles.h"
#include "penstock/bundles/recovery.h"

#include "await.h"
#include "bind.h"
#include "bundle_handle.h"
#include "bundle_values.h"
#include "py_callback.h"

namespace penstock::python {
namespace {

bundles::Recipe recipe_from(const std::string& id, const py::list& on_complete) {
  bundles::Recipe recipe{.id = id};
  for (const py::handle callback : on_complete)
    recipe.on_complete.emplace_back(PyOnComplete{py::reinterpret_borrow<py::object>(callback)});
  return recipe;
}

// start recover sweep pending: the same for both storages.
template <class Storage>
void bind_storage(py::class_<Storage, std::shared_ptr<Storage>>& bound) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  using Pointer = std::shared_ptr<Storage>;
  bound
      .def(
          "start",
          [](const Pointer& self, const py::dict& ref, const std::string& recipe, const py::list& on_complete,
             const CallPointer& state, const py::object& on) {
            return perform(state, on,
                           [self, ref = bundle_ref_from(ref),
                            recipe = recipe_from(recipe, on_complete)](const Call& c) mutable {
                             auto bundle = self->start_staged(ref, recipe, c);
                             return std::make_shared<BundleHandle>(std::move(bundle), ref);
                           });
          },
          py::arg("ref"), py::arg("recipe_id"), py::arg("on_complete"), call, loop)
      .def(
          "recover",
          [](const Pointer& self, const std::string& recipe, const py::list& on_complete,
             const CallPointer& state, const py::object& on) {
            return perform(state, on, [self, recipe = recipe_from(recipe, on_complete)](const Call& c) {
              return self->recover(recipe, c);
            });
          },
          py::arg("recipe_id"), py::arg("on_complete"), call, loop)
      .def(
          "sweep",
          [](const Pointer& self, bool remove, const CallPointer& state, const py::object& on) {
            return perform(state, on, [self, remove](const Call& c) { return self->sweep({remove}, c); });
          },
          py::arg("remove"), call, loop)
      .def(
          "sweep_recipe",
          [](const Pointer& self, const std::string& recipe, const CallPointer& state, const py::object& on) {
            return perform(state, on,
                           [self, recipe](const Call& c) { return self->sweep_recipe({.id = recipe}, c); });
          },
          py::arg("recipe_id"), call, loop)
      .def(
          "judge",
          [](const Pointer& self, const std::vector<std::string>& records, const CallPointer& state,
             const py::object& on) {
            return perform(state, on, [self, records](const Call& c) { return self->judge(records, c); });
          },
          py::arg("records"), call, loop)
      .def(
          "pending",
          [](const Pointer& self, const std::string& recipe, const CallPointer& state, const py::object& on) {
            return perform(state, on, [self, recipe](const Call& c) { return self->pending(recipe, c); });
          },
          py::arg("recipe_id"), call, loop)
      .def(
          "remove_pending",
          [](const Pointer& self, const std::string& recipe, const std::vector<std::string>& bids,
             const CallPointer& state, const py::object& on) {
            return perform(state, on, [self, recipe, bids](const Call& c) {
              return self->remove_pending(recipe, bids, c);
            });
          },
          py::arg("recipe_id"), py::arg("bids"), call, loop);
}

// Where readers look: the root of a bundle, and its keys.
void bind_layout(py::module_& core) {
  const auto layout = py::arg("layout"), prefix = py::arg("prefix");
  core.def(
      "bundles_prefix",
      [](const std::string& name, const std::string& before) {
        return text(bundles::bundles_prefix(bundles::parse_layout(name), before));
      },
      layout, prefix);
  core.def(
      "bundle_root",
      [](const std::string& name, const std::string& before, const std::string& key) -> py::object {
        const auto bundle = bundles::bundle_of(bundles::parse_layout(name), before, key);
        return bundle ? py::object{text(bundle->root)} : py::object{py::none()};
      },
      layout, prefix, py::arg("key"));
  core.def(
      "bundle_root_of_bid",
      [](const std::string& name, const std::string& before, const std::string& bid) {
        const WallTime now = Clock::system()->wall();
        return text(bundles::keys_of(bundles::parse_layout(name), before, bid, now).root);
      },
      layout, prefix, py::arg("bid"));
  core.def(
      "bundle_keys",
      [](const std::string& name, const std::string& before, const std::string& root) {
        const bundles::BundleKeys keys = bundles::keys_under(bundles::parse_layout(name), before, root);
        py::dict told;
        told["content"] = text(keys.content);
        told["separator"] = text(keys.separator);
        told["marker"] = text(keys.marker);
        told["manifest"] = text(keys.manifest);
        told["claim"] = text(keys.claim);
        told["sidecars"] = text(keys.sidecars);
        told["discovered"] = text(keys.discovered);
        return told;
      },
      layout, prefix, py::arg("root"));
}

}  // namespace

void bind_bundles(py::module_& core) {
  core.attr("RECOVERED_AT_ONCE") = bundles::kRecoveredAtOnce;
  core.attr("JUDGED_TOGETHER") = bundles::kJudgedTogether;
  py::class_<bundles::FolderBundles, std::shared_ptr<bundles::FolderBundles>> folder(core, "FolderBundles",
                                                                                     plain_type());
  folder.def(py::init([](const std::string& path, const py::dict& options) {
               return std::make_shared<bundles::FolderBundles>(path, folder_options(options));
             }),
             py::arg("path"), py::arg("options"));
  bind_storage(folder);
  py::class_<bundles::ObjectBundles, std::shared_ptr<bundles::ObjectBundles>> objects(core, "ObjectBundles",
                                                                                      plain_type());
  objects.def(py::init([](const StoreHandle& store, const py::dict& options) {
                return std::make_shared<bundles::ObjectBundles>(store.store, object_options(options));
              }),
              py::arg("store"), py::arg("options"));
  bind_storage(objects);

  core.def(
      "resource_name", [](const std::string& url) { return text(bundles::resource_name(url)); },
      py::arg("url"));
  core.def("safe_part", [](const std::string& id) { return bundles::safe_part(id); }, py::arg("id"));
  core.def(
      "resource_key",
      [](const std::string& layout, const std::string& prefix, const std::string& bid,
         const std::string& url) {
        const bundles::KeyLayout of = bundles::parse_layout(layout);
        const std::string name =
            bundles::by_basename(of) ? bundles::resource_basename(url) : bundles::resource_name(url);
        return text(bundles::keys_of(of, prefix, bid, Clock::system()->wall()).resource(name));
      },
      py::arg("layout"), py::arg("prefix"), py::arg("bid"), py::arg("url"));
  bind_layout(core);
}

}  // namespace penstock::python
