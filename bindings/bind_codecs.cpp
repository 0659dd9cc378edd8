#include <pybind11/pybind11.h>

#include "penstock/codecs/gunzip.h"
#include "penstock/codecs/tar_reader.h"

#include "await.h"
#include "bind.h"
#include "py_source.h"

namespace penstock::python {
namespace {

using SourcePointer = std::shared_ptr<SourceHandle>;

codecs::Limits limits_from(const py::dict& given) {
  codecs::Limits limits;
  const auto set = [&given](const char* name, auto& value) {
    if (given.contains(name)) value = given[name].cast<std::remove_reference_t<decltype(value)>>();
  };
  set("total_bytes", limits.total_bytes);
  set("entry_bytes", limits.entry_bytes);
  set("ratio", limits.ratio);
  set("ratio_from", limits.ratio_from);
  set("entries", limits.entries);
  set("name_bytes", limits.name_bytes);
  return limits;
}

// An archive that Python owns, with the source it reads. One thread at a time, its contents included.
class ArchiveHandle {
 public:
  explicit ArchiveHandle(SourcePointer inner, codecs::Limits limits)
      : inner_(std::move(inner)),
        attentive_(*inner_, inner_->call()->call()),
        archive_(std::make_unique<codecs::TarReader>(attentive_, limits)) {}

  std::optional<codecs::Entry> next() {
    const Exclusive use{busy_};
    ++place_;
    const codecs::Entry* entry = archive_->next();
    return entry ? std::optional{*entry} : std::nullopt;
  }
  std::size_t read(std::uint64_t place, MutableBytes buffer) {
    const Exclusive use{busy_};
    if (place != place_)
      throw std::invalid_argument("the archive has gone on: read an entry before asking for the next");
    return archive_->content().read(buffer);
  }
  std::optional<std::uint64_t> remaining(std::uint64_t place) {
    const Exclusive use{busy_};
    return place == place_ ? archive_->content().remaining() : std::nullopt;
  }
  std::uint64_t place() const { return place_; }
  const CallPointer& call() const { return inner_->call(); }
  void close() { inner_->close(); }

 private:
  SourcePointer inner_;
  Attentive attentive_;  // a skip over memory never waits, and may be long
  std::unique_ptr<codecs::Archive> archive_;
  std::atomic<bool> busy_{false};
  std::atomic<std::uint64_t> place_{0};
};

using ArchivePointer = std::shared_ptr<ArchiveHandle>;

class Content : public Source {
 public:
  explicit Content(ArchivePointer archive) : archive_(std::move(archive)), place_(archive_->place()) {}
  std::size_t read(MutableBytes buffer) override { return archive_->read(place_, buffer); }
  std::optional<std::uint64_t> remaining() const override { return archive_->remaining(place_); }

 private:
  ArchivePointer archive_;
  std::uint64_t place_;
};

struct Found {
  std::optional<codecs::Entry> entry;
  SourcePointer content;
};

// (name, type, bytes, modified in seconds of Unix time, link_to, content), or None at the end.
py::object to_python(const Found& found) {
  constexpr const char* kTypes[] = {"file", "folder", "link", "other"};
  if (!found.entry) return py::none();
  const codecs::Entry& entry = *found.entry;
  py::object modified = py::none();
  if (entry.modified)
    modified = py::float_(std::chrono::duration<double>(entry.modified->time_since_epoch()).count());
  return py::make_tuple(text(entry.name), kTypes[static_cast<int>(entry.type)], entry.bytes, modified,
                        text(entry.link_to), found.content);
}

py::object next(const ArchivePointer& archive, const py::object& loop) {
  return perform(archive->call(), loop, [archive](const Call&) {
    Found found{.entry = archive->next()};
    if (found.entry)
      found.content = std::make_shared<SourceHandle>(std::make_unique<Content>(archive), archive->call());
    return found;
  });
}

}  // namespace

void bind_codecs(py::module_& core) {
  core.def("gunzip_stage", [](const SourcePointer& inner, const py::dict& limits, bool ignore_trailing) {
    auto stage = std::make_unique<codecs::Gunzip>(
        *inner, codecs::Gunzip::Options{.limits = limits_from(limits), .ignore_trailing = ignore_trailing});
    return std::make_shared<SourceHandle>(std::move(stage), inner->call(), inner);
  });
  py::class_<ArchiveHandle, ArchivePointer>(core, "Archive", plain_type())
      .def("next", &next, py::arg("loop") = py::none())
      .def("close", &ArchiveHandle::close, py::call_guard<py::gil_scoped_release>());
  core.def("tar_reader", [](const SourcePointer& inner, const py::dict& limits) {
    return std::make_shared<ArchiveHandle>(inner, limits_from(limits));
  });
}

}  // namespace penstock::python
