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

bool knows_its_end(const py::object& file) {
  const py::module_ io = py::module_::import("io");
  const py::object raw = py::getattr(file, "raw", file);
  return py::isinstance(raw, io.attr("FileIO")) || py::isinstance(raw, io.attr("BytesIO"));
}

constexpr std::size_t kFirstBytes = 1 << 20;  // what a read may take before anything came

}  // namespace

Chunk::Chunk(std::size_t most) : Chunk(most, std::nullopt) {}

Chunk::Chunk(std::size_t most, std::optional<std::uint64_t> remaining)
    : most_(most),
      size_(std::min<std::uint64_t>(
          most, std::min<std::uint64_t>(kFirstBytes - 1, remaining.value_or(kFirstBytes)) + 1)),
      bytes_(PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size_))) {
  if (!bytes_) throw py::error_already_set();
}

MutableBytes Chunk::room() const {
  auto* begin = reinterpret_cast<std::byte*>(PyBytes_AS_STRING(bytes_.get()));
  return MutableBytes{begin, size_}.subspan(filled_);
}

void Chunk::fill(Source& source, bool full) {
  while (filled_ < most_) {
    if (filled_ == size_) grow(source.remaining());
    const std::size_t n = source.read(room());
    filled_ += n;
    if (n == 0 || !full) return;
  }
}

// Doubles; one byte beyond what remains is room enough to see the end.
void Chunk::grow(std::optional<std::uint64_t> remaining) {
  std::size_t size = std::min(most_, 2 * size_);
  if (remaining && *remaining < size) size = std::min<std::uint64_t>(size, filled_ + *remaining + 1);
  GilHeld gil;
  resize(size);
}

void Chunk::resize(std::size_t size) {
  PyObject* raw = bytes_.release();
  const int failed = _PyBytes_Resize(&raw, static_cast<py::ssize_t>(size));  // which also gives `raw` up
  bytes_.reset(raw);
  if (failed != 0) throw py::error_already_set();
  size_ = size;
}

py::object Chunk::take() && {
  if (filled_ != size_) resize(filled_);
  return py::reinterpret_steal<py::object>(bytes_.release());
}

std::size_t BufferSource::read(MutableBytes out) {
  const std::size_t n = copy_out(buffer_.bytes().subspan(at_), out);
  at_ += n;
  return n;
}

std::size_t IteratorSource::read(MutableBytes out) {
  while (!chunk_ || at_ == chunk_->bytes().size()) {
    GilHeld gil;
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
      seekable_(py::hasattr(*file_, "seekable") && file_->attr("seekable")().cast<bool>()),
      sized_(seekable_ && knows_its_end(*file_)) {}

// Nothing left may also be a file that tells no size, as those of /proc.
std::optional<std::uint64_t> ReaderSource::remaining() const {
  if (!sized_) return std::nullopt;
  GilHeld gil;
  const py::object here = file_->attr("tell")();
  const auto end = file_->attr("seek")(0, 2).cast<std::int64_t>();
  file_->attr("seek")(here);
  const auto left = end - here.cast<std::int64_t>();
  return left > 0 ? std::optional<std::uint64_t>{left} : std::nullopt;
}

std::size_t ReaderSource::read(MutableBytes out) {
  GilHeld gil;
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
  GilHeld gil;
  mark_ = file_->attr("tell")().cast<std::int64_t>();
}

void ReaderSource::rewind() {
  GilHeld gil;
  file_->attr("seek")(mark_);
}

}  // namespace penstock::python
