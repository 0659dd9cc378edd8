#include "py_sink.h"

#include "penstock/base/error.h"

#include "errors.h"

namespace penstock::python {

void SinkHandle::enter() {
  const std::lock_guard lock{mutex_};
  if (ended_) throw std::invalid_argument("the sink has ended: finish() or abort() was called");
  if (busy_) throw std::runtime_error("this stream is being used by another thread or task");
  busy_ = true;
}

void SinkHandle::leave() noexcept {
  std::optional<std::string> why;
  {
    const std::lock_guard lock{mutex_};
    busy_ = false;
    why = std::exchange(aborted_, std::nullopt);
  }
  if (why) sink_->abort(*why);
}

// What was published cannot be aborted any more.
void SinkHandle::finished() {
  const std::lock_guard lock{mutex_};
  ended_ = true;
  aborted_.reset();
}

void SinkHandle::abort(std::string_view why) noexcept {
  bool busy = false;
  {
    const std::lock_guard lock{mutex_};
    if (std::exchange(ended_, true)) return;
    busy = busy_;
    if (busy) aborted_ = why;
  }
  if (busy) return call_->stop();
  sink_->abort(why);
}

bool SinkHandle::ended() const {
  const std::lock_guard lock{mutex_};
  return ended_;
}

PySink::PySink(py::object writer, std::string key, std::string location, store::WriteOptions options,
               CallPointer state)
    : writer_(std::move(writer)),
      key_(std::move(key)),
      location_(std::move(location)),
      options_(std::move(options)),
      state_(std::move(state)) {
  for (const Digest& digest : options_.expected) hashers_.emplace_back(digest.algorithm());
}

void PySink::write(Bytes bytes) {
  for (Hasher& hasher : hashers_) hasher.update(bytes);
  bytes_ += bytes.size();
  GilHeld gil;
  auto view = py::memoryview::from_memory(bytes.data(), static_cast<py::ssize_t>(bytes.size()));
  raising_ours([&] { return writer_->attr("write")(view); }, state_);
  view.attr("release")();  // borrowed until return: a writer that keeps a view finds it released
}

void PySink::verify() const {
  auto differs = [&](const std::string& what, const std::string& expected, const std::string& actual) {
    Facts facts;
    facts.side = Side::sink;
    facts.doing = "verify";
    facts.subject = location_;
    facts.expected = expected;
    facts.actual = actual;
    return Error{Kind::corrupt, what + " differs: expected " + expected + ", got " + actual, facts};
  };
  if (options_.length && *options_.length != bytes_)
    throw differs("length", std::to_string(*options_.length), std::to_string(bytes_));
  for (std::size_t i = 0; i < hashers_.size(); ++i)
    if (const Digest got = hashers_[i].digest(); !options_.expected[i].equals(got))
      throw differs(std::string{to_string(got.algorithm())}, options_.expected[i].hex(), got.hex());
}

Receipt PySink::finish() {
  verify();
  Receipt receipt;
  receipt.bytes = bytes_;
  receipt.key = key_;
  receipt.location = location_;
  receipt.content_type = options_.content_type;
  receipt.mode = "python";
  for (const Hasher& hasher : hashers_)
    receipt.digests[std::string{to_string(hasher.algorithm())}] = hasher.digest().hex();
  GilHeld gil;
  py::object said = raising_ours([&] { return writer_->attr("finish")(); }, state_);
  ended_ = true;
  if (py::hasattr(said, "etag")) receipt.etag = py::str(said.attr("etag")).cast<std::string>();
  return receipt;
}

void PySink::abort(std::string_view why) noexcept {
  if (std::exchange(ended_, true)) return;
  GilHeld gil;
  py::error_scope keep;  // an abort runs while another exception may be on its way
  try {
    writer_->attr("abort")(py::str(why.data(), why.size()));
  } catch (py::error_already_set& raised) {
    raised.discard_as_unraisable("abort() of a Python store's writer");
  } catch (...) {
  }
}

}  // namespace penstock::python
