#include "penstock/http/upload_stream.h"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "penstock/base/wait.h"
#include "penstock/http/engine.h"
#include "penstock/streams/pipe.h"

namespace penstock::http {
namespace {

constexpr auto kBytes = static_cast<std::int64_t>(UploadStream::kRingBytes + UploadStream::kRoomBytes);

}  // namespace

struct UploadStream::State {
  explicit State(Call given, Budget& budget)
      : call(std::move(given)),
        charge(budget.overdraw(kRoomBytes)),
        room(std::make_unique_for_overwrite<std::byte[]>(kRoomBytes)) {}

  const Call call;
  const Charge charge;
  const std::unique_ptr<std::byte[]> room;
  PipeWriter writer;  // the maker's
  std::uint64_t written = 0;

  std::mutex mutex;
  std::condition_variable_any changed;
  bool wanted = false, coming = false, closed = false;  // coming: there is a reader
  std::function<void()> ready;
  PipeReader reader;
};

UploadStream::UploadStream(std::shared_ptr<Engine> engine, std::uint64_t bytes, Call call)
    : engine_(std::move(engine)),
      bytes_(bytes),
      state_(std::make_unique<State>(std::move(call), engine_->budget())) {
  engine_->ring_bytes_changed(kBytes);
}

UploadStream::~UploadStream() {
  engine_->ring_bytes_changed(-kBytes);
}

bool UploadStream::wait_for_try() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  base::wait(state.changed, lock, state.call, "send a body", [&] { return state.wanted || state.closed; });
  if (state.closed) return false;
  state.wanted = false;
  state.writer = {};  // one ring at a time
  Pipe pipe(kRingBytes, state.call, engine_->options().budget);
  state.writer = std::move(pipe.writer);
  state.written = 0;
  state.reader = std::move(pipe.reader);
  state.coming = true;
  lock.unlock();
  if (bytes_ == 0) tell_it_comes();
  return true;
}

void UploadStream::tell_it_comes() {
  std::unique_lock lock(state_->mutex);
  if (!state_->coming) return;  // another try wants it by now
  const auto ready = std::exchange(state_->ready, nullptr);
  lock.unlock();
  if (ready) ready();
}

MutableBytes UploadStream::room() {
  return {state_->room.get(), kRoomBytes};
}

bool UploadStream::write(Bytes bytes) try {
  if (bytes.empty()) return true;
  State& state = *state_;
  if (state.written == 0) tell_it_comes();
  state.writer.write(bytes);
  state.written += bytes.size();
  if (state.written == bytes_) state.writer.finish();
  return true;
} catch (const Error&) {
  const std::lock_guard lock(state_->mutex);
  if (state_->wanted || state_->closed) return false;
  throw;
}

std::size_t UploadStream::read_at(std::uint64_t, MutableBytes) const {
  throw std::logic_error("a body that is made while it is sent cannot be read at a place");
}

void UploadStream::close() const {
  PipeReader last;  // dies without the lock: its maker may wait to write
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
  state_->coming = false;
  last = std::move(state_->reader);
  state_->changed.notify_all();
}

void UploadStream::begin(std::function<void()> ready) const {
  PipeReader former;
  const std::lock_guard lock(state_->mutex);
  state_->wanted = true;
  state_->coming = false;
  state_->ready = std::move(ready);
  former = std::move(state_->reader);
  state_->changed.notify_all();
}

std::optional<std::size_t> UploadStream::read(MutableBytes out) const {
  const std::lock_guard lock(state_->mutex);
  const auto got = state_->coming ? state_->reader.try_read(out) : std::size_t{0};
  if (got && *got == 0) throw Error(Kind::lost, "the body ended before its length", {.code = "short_body"});
  return got;
}

void UploadStream::on_bytes(std::function<void()> ready) const {
  const std::lock_guard lock(state_->mutex);
  if (state_->coming) state_->reader.on_data(std::move(ready));
}

}  // namespace penstock::http
