#include <array>
#include <cmath>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"
#include "penstock/codecs/gunzip.h"
#include "penstock/codecs/tar_reader.h"
#include "penstock/codecs/zip_reader.h"
#include "penstock/codecs/zip_writer.h"

#include "await.h"
#include "bind.h"
#include "py_sink.h"
#include "py_source.h"

namespace penstock::python {
namespace {

using SourcePointer = std::shared_ptr<SourceHandle>;
using SinkPointer = std::shared_ptr<SinkHandle>;

// An archive that Python owns, with the source it reads. One thread at a time, its contents included.
class ArchiveHandle {
 public:
  explicit ArchiveHandle(SourcePointer inner)
      : inner_(std::move(inner)), attentive_(*inner_, inner_->call()->call()) {}
  template <class Reader>
  static std::shared_ptr<ArchiveHandle> make(const SourcePointer& inner, const py::dict& limits) {
    auto made = std::make_shared<ArchiveHandle>(inner);
    made->archive_ = std::make_unique<Reader>(made->attentive_, limits_from(limits));
    return made;
  }

  std::optional<codecs::Entry> next() {
    const Exclusive use{busy_};
    ++place_;
    read_over();
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
  // Of a zip, the numbers of entries that turned out to be links or devices. std::logic_error before its end.
  std::vector<std::uint64_t> special() {
    const Exclusive use{busy_};
    const auto* zip = dynamic_cast<const codecs::ZipReader*>(archive_.get());
    return zip ? zip->special() : std::vector<std::uint64_t>{};
  }
  const CallPointer& call() const { return inner_->call(); }
  void close() { inner_->close(); }

 private:
  // Here, so that who stops the call is heard while a long member is inflated.
  void read_over() {
    std::array<std::byte, 16 * 1024> away;
    while (began_ && archive_->content().read(away) > 0) base::check(call()->call(), "read over an entry");
    began_ = true;
  }

  SourcePointer inner_;
  Attentive attentive_;  // a skip over memory never waits, and may be long
  bool began_ = false;
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

// A zip that Python writes, with the sink it goes to. One thread at a time adds; abort() from any.
class ZipHandle {
 public:
  ZipHandle(SinkPointer sink, int level)
      : sink_(std::move(sink)), writer_(std::in_place, *sink_, codecs::ZipWriter::Options{.level = level}) {}
  ~ZipHandle() {
    const Ungil ungil;
    writer_.reset();
  }

  std::uint64_t add(const codecs::ZipWriter::Entry& entry, Source& content) {
    const Exclusive use{busy_};
    return writer_->add(entry, content).bytes;
  }
  Receipt finish() {
    const Exclusive use{busy_};
    Receipt receipt = writer_->finish();
    ended_ = true;
    return receipt;
  }
  void abort(const std::string& why) {
    ended_ = true;
    if (busy_) sink_->call()->stop();  // it may be waiting for a member's content
    sink_->abort(why);
  }
  // By the caller: one that a failed member aborted is not, so that finish() says so.
  bool ended() const { return ended_; }
  const SinkPointer& sink() const { return sink_; }

 private:
  SinkPointer sink_;
  std::optional<codecs::ZipWriter> writer_;
  std::atomic<bool> busy_{false}, ended_{false};
};

using ZipPointer = std::shared_ptr<ZipHandle>;

py::object add(const ZipPointer& zip, const std::string& name, std::optional<double> modified,
               const SourcePointer& content, const py::object& loop) {
  codecs::ZipWriter::Entry entry{.name = name};
  if (modified) {
    const auto since = std::chrono::duration<double>(*modified);
    // What the clock can hold: 1677 to 2262.
    if (std::abs(*modified) > 9.2e9)
      throw Error{Kind::refused,
                  "modified= is before 1678 or after 2261",
                  {.side = Side::sink, .doing = "write a zip"}};
    entry.modified = WallTime{std::chrono::duration_cast<WallTime::duration>(since)};
  }
  return perform(zip->sink()->call(), loop, [zip, entry, content](const Call& call) {
    Attentive attentive{*content, call};
    return zip->add(entry, attentive);
  });
}

void bind_zip_writer(py::module_& core) {
  py::class_<ZipHandle, ZipPointer>(core, "ZipWriter", plain_type())
      .def("add", &add, py::arg("name"), py::arg("modified"), py::arg("content"),
           py::arg("loop") = py::none())
      .def(
          "finish",
          [](const ZipPointer& zip, const py::object& loop) {
            return perform(zip->sink()->call(), loop, [zip](const Call&) { return zip->finish(); });
          },
          py::arg("loop") = py::none())
      .def("abort", &ZipHandle::abort, py::call_guard<GilReleased>())
      .def("stop", [](const ZipHandle& zip) { zip.sink()->call()->stop(); })
      .def_property_readonly("ended", &ZipHandle::ended);
  core.def("zip_writer",
           [](const SinkPointer& sink, int level) { return std::make_shared<ZipHandle>(sink, level); });
}

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
      .def("close", &ArchiveHandle::close, py::call_guard<GilReleased>())
      .def_property_readonly("special", &ArchiveHandle::special);
  core.def("tar_reader", &ArchiveHandle::make<codecs::TarReader>);
  core.def("zip_reader", &ArchiveHandle::make<codecs::ZipReader>);
  bind_zip_writer(core);
}

}  // namespace penstock::python
