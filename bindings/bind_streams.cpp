#include <algorithm>
#include <cstdint>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/disk/file_sink.h"
#include "penstock/disk/file_source.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/pipe.h"
#include "penstock/streams/stages.h"

#include "await.h"
#include "bind.h"
#include "py_sink.h"
#include "py_source.h"

namespace penstock::python {
namespace {

using SourcePointer = std::shared_ptr<SourceHandle>;
using SinkPointer = std::shared_ptr<SinkHandle>;

SourcePointer source_of(std::unique_ptr<Source> source, CallPointer call = std::make_shared<CallState>(),
                        SourcePointer inner = nullptr) {
  return std::make_shared<SourceHandle>(std::move(source), std::move(call), std::move(inner));
}

py::object read(const SourcePointer& source, std::size_t n, bool full, const py::object& loop) {
  auto chunk = std::make_shared<Chunk>(n);
  return perform(source->call(), loop, [source, chunk, full](const Call& call) {
    Attentive attentive{*source, call};
    chunk->fill(attentive, full);
    return std::move(*chunk);
  });
}

// What is at hand, up to `n`, with the GIL and without a future: for an event loop. None if that is less than
// `least`.
py::object read_ready(const SourcePointer& source, std::size_t n, std::size_t least) {
  const std::size_t ready = std::min(n, source->ready());
  if (ready == 0 || ready < least) return py::none();
  Chunk chunk{ready};
  source->call()->finish([&](const Call& call) {
    Attentive attentive{*source, call};
    chunk.fill(attentive, true);  // all of it is at hand
  });
  return std::move(chunk).take();
}

// All that is left: more than `limit` is refused. What is held is had at once, with the GIL and without a
// future.
py::object read_all(const SourcePointer& source, std::uint64_t limit, const py::object& loop) {
  const std::size_t most = std::min<std::uint64_t>(limit, PTRDIFF_MAX - 1) + 1;
  auto chunk = std::make_shared<Chunk>(most, source->remaining());
  const auto work = [source, chunk, limit](const Call& call) {
    Attentive attentive{*source, call};
    Limit limited{attentive, limit};
    chunk->fill(limited, true);
    return std::move(*chunk);
  };
  return source->held() && loop.is_none() ? to_python(work({})) : perform(source->call(), loop, work);
}

SourcePointer hash_stage(const SourcePointer& inner, const std::vector<std::string>& names) {
  std::vector<Algorithm> algorithms;
  algorithms.reserve(names.size());
  for (const auto& name : names) algorithms.push_back(parse_algorithm(name));
  return source_of(std::make_unique<Hash>(*inner, std::move(algorithms)), inner->call(), inner);
}

std::map<std::string, std::string> digests(const SourceHandle& stage) {
  return dynamic_cast<const Hash&>(*stage.source()).digests();
}

void bind_sources(py::module_& core) {
  py::class_<SourceHandle, SourcePointer>(core, "Source", plain_type())
      .def("read", &read, py::arg("n"), py::arg("full") = true, py::arg("loop") = py::none())
      .def("read_ready", &read_ready, py::arg("n"), py::arg("least"))
      .def("read_all", &read_all, py::arg("limit"), py::arg("loop") = py::none())
      .def("close", &SourceHandle::close, py::call_guard<GilReleased>())
      .def("stop", [](const SourceHandle& source) { source.call()->stop(); })
      .def_property_readonly("closed", &SourceHandle::closed)
      .def_property_readonly("held", &SourceHandle::held)
      .def_property_readonly("remaining", &SourceHandle::remaining)
      .def_property_readonly("ready", &SourceHandle::ready)
      .def_property_readonly("rewindable", &SourceHandle::rewindable)
      .def("mark", &SourceHandle::mark)
      .def(
          "rewind",
          [](const SourcePointer& source, const py::object& loop) {
            return perform(source->call(), loop, [source](const Call&) { source->rewind(); });
          },
          py::arg("loop") = py::none())
      .def("digests", &digests)
      .def("count",
           [](const SourceHandle& stage) { return dynamic_cast<const Count&>(*stage.source()).bytes(); });

  core.def("buffer_source",
           [](const py::buffer& data) { return source_of(std::make_unique<BufferSource>(data)); });
  core.def("iterator_source",
           [](py::iterator it) { return source_of(std::make_unique<IteratorSource>(std::move(it))); });
  core.def("reader_source",
           [](py::object file) { return source_of(std::make_unique<ReaderSource>(std::move(file))); });
  core.def("file_source", [](const std::string& path, const CallPointer& call) {
    return source_of(std::make_unique<disk::FileSource>(path, call->call()), call);
  });
  core.def("file_sink", [](const std::string& path, const std::string& mode, const CallPointer& call) {
    const auto existing =
        mode_from(mode).kind == store::Mode::Kind::create ? disk::Existing::refuse : disk::Existing::replace;
    return std::make_shared<SinkHandle>(std::make_unique<disk::FileSink>(path, existing, call->call()), call);
  });
  core.def("limit_stage", [](const SourcePointer& inner, std::uint64_t max_bytes) {
    return source_of(std::make_unique<Limit>(*inner, max_bytes), inner->call(), inner);
  });
  core.def("count_stage", [](const SourcePointer& inner) {
    return source_of(std::make_unique<Count>(*inner), inner->call(), inner);
  });
  core.def("hash_stage", &hash_stage);
  core.def(
      "tee_stage",
      [](const SourcePointer& inner, const SinkPointer& sink) {
        return source_of(std::make_unique<Tee>(*inner, *sink), inner->call(), inner);
      },
      py::keep_alive<0, 2>());
  core.def("digest_hex", [](const std::string& algorithm, const std::string& text) {
    return Digest::parse(parse_algorithm(algorithm), text).hex();
  });
}

void bind_sinks(py::module_& core) {
  py::class_<SinkHandle, SinkPointer>(core, "Sink", plain_type())
      .def(
          "write",
          [](const SinkPointer& sink, const py::buffer& data, const py::object& loop) {
            auto held = std::make_shared<Borrowed>(data);
            return perform(sink->call(), loop, [sink, held](const Call&) { sink->write(held->bytes()); });
          },
          py::arg("data"), py::arg("loop") = py::none())
      .def(
          "write_from",
          [](const SinkPointer& sink, const SourcePointer& source, const py::object& loop) {
            return perform(sink->call(), loop, [sink, source](const Call& call) {
              Attentive attentive{*source, call};
              return sink->write_from(attentive);
            });
          },
          py::arg("source"), py::arg("loop") = py::none())
      .def(
          "finish",
          [](const SinkPointer& sink, const py::object& loop) {
            return perform(sink->call(), loop, [sink](const Call&) { return sink->finish(); });
          },
          py::arg("loop") = py::none())
      .def(
          "abort", [](const SinkPointer& sink, const std::string& why) { sink->abort(why); },
          py::arg("why") = "aborted by the caller", py::call_guard<GilReleased>())
      .def("stop", [](const SinkHandle& sink) { sink.call()->stop(); })
      .def_property_readonly("ended", &SinkHandle::ended);
}

void bind_pipe(py::module_& core) {
  py::class_<PipeWriter, std::shared_ptr<PipeWriter>>(core, "PipeWriter", plain_type())
      .def("try_write",
           [](PipeWriter& writer, const py::buffer& data, std::size_t offset) {
             Borrowed held{data};
             return writer.try_write_to_ring(held.bytes().subspan(offset));
           })
      .def(
          "finish", [](PipeWriter& writer) { writer.finish(); }, py::call_guard<GilReleased>())
      .def(
          "abort", [](PipeWriter& writer, const std::string& why) { writer.abort(why); },
          py::call_guard<GilReleased>())
      // A future of `loop`, done once there is room or the reader is gone.
      .def("room", [](PipeWriter& writer, std::size_t at_least, const py::object& loop) {
        py::object future = loop.attr("create_future")();
        auto done = std::make_shared<std::unique_ptr<Completion<void>>>(
            std::make_unique<Completion<void>>(Kept{loop}, Kept{future}));
        GilReleased release;
        writer.on_room(at_least, [done] {
          if (*done) Runtime::instance().tell(std::move(*done));
        });
        return future;
      });
  core.def("pipe", [](std::size_t bytes, const CallPointer& call) {
    Pipe pipe{bytes, call->call()};
    return py::make_tuple(std::make_shared<PipeWriter>(std::move(pipe.writer)),
                          source_of(std::make_unique<PipeReader>(std::move(pipe.reader)), call));
  });
}

}  // namespace

void bind_streams(py::module_& core) {
  bind_sources(core);
  bind_sinks(core);
  bind_pipe(core);
}

}  // namespace penstock::python
