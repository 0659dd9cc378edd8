#include "support/scripted_server.h"

#include <algorithm>
#include <list>
#include <stdexcept>
#include <utility>

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/connection.h"

namespace penstock::test {
namespace {

std::string path_of(std::string_view target) {
  return std::string(target.substr(0, target.find('?')));
}

}  // namespace

struct ScriptedServer::State {
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::map<std::string, std::vector<Script>> routes;
  std::map<std::string, std::size_t> next;
  Script otherwise = test::respond(404, {}, "not in this test");
  std::list<SeenRequest> seen;
  int accepted = 0, open = 0;
  std::list<std::jthread> threads;
  int stop_fd = -1;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls{nullptr, SSL_CTX_free};

  void change(const std::function<void()>& what) {
    std::lock_guard lock(mutex);
    what();
    changed.notify_all();
  }
};

namespace {

int listen_on_loopback(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the scripted server cannot listen on 127.0.0.1");
  port = ntohs(address.sin_port);
  return listener;
}

SSL_CTX* tls_context(const Certificate& certificate) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  BIO* bio = BIO_new_mem_buf(certificate.certificate_pem.data(), -1);
  X509* x509 = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(context, x509);
  X509_free(x509);
  BIO_free(bio);
  bio = BIO_new_mem_buf(certificate.key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  SSL_CTX_use_PrivateKey(context, key);
  EVP_PKEY_free(key);
  BIO_free(bio);
  return context;
}

}  // namespace

Gate ScriptedServer::Options::opened() {
  Gate gate;
  gate.open();
  return gate;
}

ScriptedServer::ScriptedServer(Options options)
    : options_(std::move(options)), state_(std::make_unique<State>()) {
  listener_ = listen_on_loopback(port_);
  state_->stop_fd = ::eventfd(0, EFD_CLOEXEC);
  if (options_.certificate) state_->tls.reset(tls_context(*options_.certificate));
  acceptor_ = std::jthread([this](std::stop_token stop) { accept_all(stop); });
}

ScriptedServer::~ScriptedServer() {
  ::eventfd_write(state_->stop_fd, 1);
  acceptor_.request_stop();
  acceptor_.join();
  for (auto& thread : state_->threads) thread.request_stop();
  state_->threads.clear();  // joins
  ::close(listener_);
  ::close(state_->stop_fd);
}

void ScriptedServer::accept_all(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pollfd both[] = {{listener_, POLLIN, 0}, {state_->stop_fd, POLLIN, 0}};
    if (::poll(both, 2, -1) < 0) continue;
    if (both[1].revents != 0) return;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    state_->change([&] {
      const int number = ++state_->accepted;
      ++state_->open;
      state_->threads.emplace_back(
          [this, socket, number](std::stop_token own) { serve(std::move(own), socket, number); });
    });
  }
}

void ScriptedServer::serve(std::stop_token stop, int socket, int number) {
  // OpenSSL writes to a peer that hung up; for this thread that is an error, not the end of the program.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  try {
    Connection wire(socket, state_->stop_fd);
    if (options_.refuse && options_.refuse(number)) wire.reset();
    if (!options_.handshake.pass(stop)) throw HungUp{};
    if (state_->tls && !wire.closed()) wire.start_tls(*state_->tls);
    while (!wire.closed() && answer_one(wire, stop, number)) continue;
  } catch (const HungUp&) {
  }
  state_->change([&] { --state_->open; });
}

// False: the connection is over.
bool ScriptedServer::answer_one(Connection& wire, const std::stop_token& stop, int number) {
  Exchange exchange(wire, stop);
  exchange.seen_.connection = number;
  if (!exchange.read_head()) return false;
  SeenRequest* place = nullptr;
  state_->change([&] { place = &state_->seen.emplace_back(exchange.seen_); });
  exchange.record_ = [&](const SeenRequest& seen) { state_->change([&] { *place = seen; }); };
  bool hung_up = false;
  try {
    for (const auto& step : next_script(exchange.seen_.target).steps_) step(exchange);
  } catch (const HungUp&) {
    hung_up = true;
  }
  exchange.record_(exchange.seen_);
  return !hung_up && exchange.seen_.body_complete;
}

Script ScriptedServer::next_script(const std::string& target) {
  std::lock_guard lock(state_->mutex);
  const auto route = state_->routes.find(path_of(target));
  if (route == state_->routes.end() || route->second.empty()) return state_->otherwise;
  const std::size_t turn = state_->next[route->first]++;
  return route->second[std::min(turn, route->second.size() - 1)];
}

void ScriptedServer::on(std::string path, std::vector<Script> scripts) {
  state_->change([&] {
    state_->next[path] = 0;
    state_->routes[std::move(path)] = std::move(scripts);
  });
}

void ScriptedServer::otherwise(Script script) {
  state_->change([&] { state_->otherwise = std::move(script); });
}

std::string ScriptedServer::origin() const {
  return url("");
}

std::string ScriptedServer::url(std::string_view path) const {
  return url("127.0.0.1", path);
}

std::string ScriptedServer::url(std::string_view host, std::string_view path) const {
  return (options_.certificate ? "https://" : "http://") + std::string(host) + ":" + std::to_string(port_) +
         std::string(path);
}

std::vector<SeenRequest> ScriptedServer::requests() const {
  std::lock_guard lock(state_->mutex);
  return {state_->seen.begin(), state_->seen.end()};
}

std::vector<SeenRequest> ScriptedServer::requests(std::string_view path) const {
  std::vector<SeenRequest> some = requests();
  std::erase_if(some, [&](const SeenRequest& request) { return path_of(request.target) != path; });
  return some;
}

int ScriptedServer::connections() const {
  std::lock_guard lock(state_->mutex);
  return state_->accepted;
}

int ScriptedServer::open_connections() const {
  std::lock_guard lock(state_->mutex);
  return state_->open;
}

bool ScriptedServer::wait_until(const std::function<bool(const ScriptedServer&)>& ready) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!ready(*this)) {
    std::unique_lock lock(state_->mutex);
    if (std::chrono::steady_clock::now() > until) return false;
    state_->changed.wait_for(lock, std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace penstock::test
