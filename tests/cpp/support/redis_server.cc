#include "support/redis_server.h"

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace penstock::test {
namespace {

using std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  ::bind(probe, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(probe);
  return ntohs(address.sin_port);
}

bool listens(std::uint16_t port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return connected;
}

// Does not outlive the thread that called.
pid_t spawn(std::vector<std::string> words, const std::string& log) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

RedisServer::RedisServer(const Options& options) {
  // Another program may take the port between our choosing it and the server's bind.
  for (int attempt = 0; attempt < 3; ++attempt)
    if (start(options)) return;
  throw std::runtime_error("redis-server does not start (scripts/install installs it): " +
                           read_file(folder_ / "log"));
}

RedisServer::~RedisServer() {
  end();
}

bool RedisServer::start(const Options& options) {
  port_ = free_port();
  const std::string port = std::to_string(port_);
  std::vector<std::string> words{"redis-server", "--bind", "127.0.0.1",    "--dir", folder_.path(),
                                 "--save",       "",       "--appendonly", "no"};
  const auto add = [&](std::vector<std::string> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  if (!options.password.empty()) add({"--requirepass", options.password});
  if (options.certificate) {
    write_file(folder_ / "cert.pem", options.certificate->certificate_pem);
    write_file(folder_ / "key.pem", options.certificate->key_pem);
    add({"--port", "0", "--tls-port", port, "--tls-auth-clients", "no"});
    add({"--tls-cert-file", folder_ / "cert.pem", "--tls-key-file", folder_ / "key.pem"});
  } else {
    add({"--port", port});
  }
  process_ = spawn(words, folder_ / "log");
  const auto until = steady_clock::now() + std::chrono::seconds{30};
  while (!listens(port_)) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = -1;
      return false;
    }
    if (steady_clock::now() > until) {
      end();
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

void RedisServer::end() noexcept {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

}  // namespace penstock::test
