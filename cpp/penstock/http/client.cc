#include "penstock/http/client.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include <unistd.h>

#include "penstock/base/wait.h"
#include "penstock/http/body.h"
#include "penstock/http/client_options.h"
#include "penstock/http/engine.h"
#include "penstock/http/engines.h"
#include "penstock/http/exchange.h"
#include "penstock/http/upload_stream.h"

namespace penstock::http {
namespace {

// What one process has: a forked child makes its own.
struct Home {
  pid_t process;
  std::shared_ptr<Engine> engine;
  std::unique_ptr<Workers> workers, hashers;
};

std::unique_ptr<Workers> few_workers() {
  Workers::Options options;
  options.max_threads = std::max(1U, std::thread::hardware_concurrency());
  return std::make_unique<Workers>(options);
}

// How send() hears of its end.
struct Settled {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<Outcome> outcome;

  void set(Outcome value) {
    const std::lock_guard lock(mutex);
    outcome = std::move(value);
    changed.notify_all();
  }
};

}  // namespace

struct Client::State {
  ClientOptions options;
  const Environment environment = environment_now();
  // Atomic and never freed before the client: a lock here might have been held by another thread at a fork.
  mutable std::atomic<Home*> home{nullptr};

  Home& here() const;
  Engine& engine() const { return *here().engine; }
};

Home& Client::State::here() const {
  Home* found = home.load();
  if (found && found->process == getpid()) return *found;
  if (found) found->engine->abandon();
  auto fresh = std::make_unique<Home>(Home{.process = getpid(),
                                           .engine = Engine::start(options, environment),
                                           .workers = std::make_unique<Workers>(),
                                           .hashers = few_workers()});
  // The parent's Home stays allocated: its threads are gone and its locks may be held for ever.
  if (!home.compare_exchange_strong(found, fresh.get())) {
    fresh->engine->close();
    return *found;
  }
  return *fresh.release();
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): ~Client frees it

Client::Client(ClientOptions options) : state_(std::make_unique<State>()) {
  Engine::initialise_libraries();
  state_->options = completed(std::move(options));
  if (state_->options.insecure_skip_verify)
    log(LogLevel::warning, "http", "insecure_skip_verify is set: any server can pose as any other");
}

Client::~Client() {
  Home* home = state_->home.load();
  if (!home || home->process != getpid()) return;
  close();
  delete home;
}

Response Client::send(Request request, CallOptions options) {
  const auto settled = std::make_shared<Settled>();
  Engine& engine = state_->engine();
  const auto exchange =
      std::make_shared<Exchange>(engine, std::move(request), std::move(options),
                                 [settled](Outcome outcome) { settled->set(std::move(outcome)); });
  engine.begin(exchange);
  std::unique_lock lock(settled->mutex);
  const auto is_set = [&] { return settled->outcome.has_value(); };
  try {
    // The exchange keeps the stop and the deadline itself; only the thread's hook may end this wait early.
    base::wait(settled->changed, lock, Call{}, "waiting for an answer", is_set);
  } catch (...) {
    // The payload may be borrowed: it is let go of before the caller is.
    exchange->cancel();
    settled->changed.wait(lock, is_set);
    throw;
  }
  if (auto* error = std::get_if<Error>(&*settled->outcome)) throw std::move(*error);
  return std::get<Response>(std::move(*settled->outcome));
}

void Client::submit(Request request, CallOptions options, std::function<void(Outcome)> done) {
  Engine& engine = state_->engine();
  engine.begin(std::make_shared<Exchange>(engine, std::move(request), std::move(options), std::move(done)));
}

std::unique_ptr<Body> Client::open(Request request, CallOptions options) {
  return StreamBody::open(state_->here().engine, std::move(request), std::move(options));
}

std::shared_ptr<UploadStream> Client::upload_stream(std::uint64_t bytes, Call call) {
  return std::make_shared<UploadStream>(state_->here().engine, bytes, std::move(call));
}

void Client::post(std::function<void()> job) {
  state_->engine().post(std::move(job));
}

void Client::post_after(std::chrono::milliseconds span, std::function<void()> job) {
  state_->engine().post_after(span, std::move(job));
}

std::shared_ptr<void> Client::chore() {
  return state_->engine().hold_chore();
}

void Client::drain(const Call& call) {
  state_->engine().drain(call);
}

void Client::close() {
  state_->engine().close();
}

void Client::close_all() {
  Engines::close_all();
}

Statistics Client::statistics() const {
  return state_->engine().statistics();
}

void Client::count(const std::function<void(Statistics&)>& change) {
  state_->engine().count(change);
}

const ClientOptions& Client::options() const {
  return state_->options;
}

const std::shared_ptr<Budget>& Client::budget() const {
  return state_->options.budget;
}

Clock& Client::clock() const {
  return *state_->options.clock;
}

Workers& Client::workers() {
  return *state_->here().workers;
}

Workers& Client::hashers() {
  return *state_->here().hashers;
}

void Client::log(LogLevel level, std::string_view room, std::string_view line) const {
  if (state_->options.log) state_->options.log(level, room, line);
}

namespace {

struct Default {
  Default() { Engine::initialise_libraries(); }
  std::mutex mutex;
  std::shared_ptr<Client> client;
};

Default& process_wide() {
  static Default value;
  return value;
}

}  // namespace

std::shared_ptr<Client> Client::process_default() {
  auto& [mutex, client] = process_wide();
  const std::lock_guard lock(mutex);
  if (!client) client = std::make_shared<Client>();
  return client;
}

void Client::set_process_default(std::shared_ptr<Client> replacement) {
  auto& [mutex, client] = process_wide();
  {
    const std::lock_guard lock(mutex);
    client.swap(replacement);
  }
  // The former one may die here, outside the lock: closing it waits.
}

}  // namespace penstock::http
