#include "py_source.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "penstock/base/error.h"

namespace penstock::python {
namespace {

std::size_t copy_out(Bytes from, MutableBytes out) {
  const std::size_t n = std::min(from.size(), out.size());
  std::memcpy(out.data(), from.data(), n);
  return n;
}

}  // namespace

std::size_t BufferSource::read(MutableBytes out) {
  const std::size_t n = copy_out(buffer_.bytes().subspan(at_), out);
  at_ += n;
  return n;
}

std::size_t IteratorSource::read(MutableBytes out) {
  while (!chunk_ || at_ == chunk_->bytes().size()) {
    py::gil_scoped_acquire gil;
    chunk_.reset();
    at_ = 0;
    py::object next = py::reinterpret_steal<py::object>(PyIter_Next(iterator_->ptr()));
    if (!next) {
      if (PyErr_Occurred()) throw py::error_already_set();
      return 0;
    }
    chunk_ = std::make_unique<Borrowed>(next);
  }
  const std::size_t n = copy_out(chunk_->bytes().subspan(at_), out);
  at_ += n;
  return n;
}

ReaderSource::ReaderSource(py::object file)
    : file_(std::move(file)),
      readinto_(py::hasattr(*file_, "readinto")),
      seekable_(py::hasattr(*file_, "seekable") && file_->attr("seekable")().cast<bool>()) {}

std::size_t ReaderSource::read(MutableBytes out) {
  py::gil_scoped_acquire gil;
  if (!readinto_) {
    Borrowed chunk{file_->attr("read")(out.size())};
    if (chunk.bytes().size() > out.size()) throw py::value_error("read(n) returned more than n bytes");
    return copy_out(chunk.bytes(), out);
  }
  auto view = py::memoryview::from_memory(out.data(), static_cast<py::ssize_t>(out.size()));
  py::object got = file_->attr("readinto")(view);
  view.attr("release")();  // the buffer is ours again, whatever the file kept
  if (got.is_none())
    throw Error{Kind::refused, "the file is in non-blocking mode and has no bytes now: give a blocking file"};
  return got.cast<std::size_t>();
}

void ReaderSource::mark() {
  py::gil_scoped_acquire gil;
  mark_ = file_->attr("tell")().cast<std::int64_t>();
}

void ReaderSource::rewind() {
  py::gil_scoped_acquire gil;
  file_->attr("seek")(mark_);
}

}  // namespace penstock::python
