#include <array>
#include <atomic>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/base/wait.h"
#include "penstock/bundles/unpacker.h"

#include "await.h"
#include "bind.h"
#include "bundle_values.h"
#include "py_source.h"

namespace penstock::python {
namespace {

using SourcePointer = std::shared_ptr<SourceHandle>;

// An Unpacker that Python owns, with the body it reads. One thread at a time, its contents included.
class UnpackerHandle {
 public:
  UnpackerHandle(SourcePointer body, bundles::Resource resource, bundles::UnpackOptions options)
      : body_(std::move(body)),
        attentive_(*body_, body_->call()->call()),
        unpacker_(attentive_, std::move(resource), options) {}

  bool is_archive() {
    const Exclusive use{busy_};
    return unpacker_.is_archive();
  }
  std::optional<bundles::Unpacked> next() {
    const Exclusive use{busy_};
    if (place_++ > 0) read_over();
    const bundles::Unpacked* found = unpacker_.next();
    return found ? std::optional{*found} : std::nullopt;
  }
  std::size_t read(std::uint64_t place, MutableBytes buffer) {
    const Exclusive use{busy_};
    if (place != place_)
      throw std::invalid_argument("what was unpacked has gone on: read a member in its turn");
    return unpacker_.content().read(buffer);
  }
  std::optional<std::uint64_t> remaining(std::uint64_t place) {
    const Exclusive use{busy_};
    return place == place_ ? unpacker_.content().remaining() : std::nullopt;
  }
  std::vector<std::uint64_t> withdrawn() {
    const Exclusive use{busy_};
    return unpacker_.withdrawn();
  }
  std::uint64_t place() const { return place_; }
  const CallPointer& call() const { return body_->call(); }

 private:
  // Here, so that who stops the call is heard while a long member is inflated. A body that is no archive's
  // need not be read to its end.
  void read_over() {
    std::array<std::byte, 16 * 1024> away;
    while (unpacker_.is_archive() && unpacker_.content().read(away) > 0)
      base::check(call()->call(), "read over a member");
  }

  SourcePointer body_;
  Attentive attentive_;
  bundles::Unpacker unpacker_;
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> place_{0};
};
using UnpackerPointer = std::shared_ptr<UnpackerHandle>;

class Content : public Source {
 public:
  explicit Content(UnpackerPointer of) : of_(std::move(of)), place_(of_->place()) {}
  std::size_t read(MutableBytes buffer) override { return of_->read(place_, buffer); }
  std::optional<std::uint64_t> remaining() const override { return of_->remaining(place_); }

 private:
  UnpackerPointer of_;
  std::uint64_t place_;
};

struct Found {
  std::optional<bundles::Unpacked> unpacked;
  SourcePointer content;
};

// (url, content_type, derived_from, mismatch, why it is skipped or "", content), or None at the end.
py::object to_python(const Found& found) {
  if (!found.unpacked) return py::none();
  const bundles::Resource& resource = found.unpacked->resource;
  py::object type = resource.content_type ? py::object(text(*resource.content_type)) : py::none();
  return py::make_tuple(text(resource.url), type, python::to_python(resource.derived_from), resource.mismatch,
                        text(found.unpacked->skipped), found.content);
}

}  // namespace

void bind_unpack(py::module_& core) {
  const auto loop = py::arg("loop") = py::none();
  py::class_<UnpackerHandle, UnpackerPointer>(core, "Unpacker", plain_type())
      .def(
          "is_archive",
          [](const UnpackerPointer& self, const py::object& on) {
            return perform(self->call(), on, [self](const Call&) { return self->is_archive(); });
          },
          loop)
      .def(
          "next",
          [](const UnpackerPointer& self, const py::object& on) {
            return perform(self->call(), on, [self](const Call&) {
              Found found{.unpacked = self->next()};
              if (found.unpacked)
                found.content = std::make_shared<SourceHandle>(std::make_unique<Content>(self), self->call());
              return found;
            });
          },
          loop)
      .def_property_readonly("withdrawn", &UnpackerHandle::withdrawn);
  core.def("unpacker", [](const SourcePointer& body, const py::dict& resource, bool keep_zip,
                          bool ignore_trailing, const py::dict& limits) {
    return std::make_shared<UnpackerHandle>(
        body, resource_from(resource),
        bundles::UnpackOptions{
            .keep_zip = keep_zip, .ignore_trailing = ignore_trailing, .limits = limits_from(limits)});
  });
}

}  // namespace penstock::python
