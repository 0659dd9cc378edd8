#include "penstock/aws/child_process.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"

namespace penstock::aws {
namespace {

constexpr const char* kDoing = "run credential_process";
// How often a silent child is looked at: a stop is answered within it.
constexpr std::chrono::milliseconds kTick{50};

Error failed(std::string message) {
  return Error{Kind::denied, std::move(message), {.doing = kDoing}};
}

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_, O_CLOEXEC) != 0)
      throw failed(fmt::format("credential_process: no pipe: {}", std::strerror(errno)));
  }
  ~Pipe() {
    close(ends_[0]);
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
};

// posix_spawn's two option objects, freed together.
class SpawnOptions {
 public:
  explicit SpawnOptions(int out) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, out, 1);
    posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    posix_spawnattr_init(&attributes_);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);  // Python ignores it, and a child would inherit that
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &pipe);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnOptions() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t spawn(std::vector<std::string> arguments, const std::map<std::string, std::string>& environment,
            int out) {
  std::vector<std::string> settings;
  settings.reserve(environment.size());
  for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
  auto argv = pointers_to(arguments);
  auto envp = pointers_to(settings);
  const SpawnOptions options{out};
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, argv[0], options.actions(), options.attributes(), argv.data(), envp.data());
  if (error != 0)
    throw failed(fmt::format("credential_process could not be started: {}", std::strerror(error)));
  return pid;
}

// A running child; killed with its group and reaped unless it has ended by itself.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (!running_) return;
    kill(-pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Whether it has ended; `status` is then as waitpid gives it.
  bool ended(int& status) {
    const auto got = waitpid(pid_, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    if (got < 0) status = 0;  // SIGCHLD is ignored here: the system reaped it and forgot how it ended
    running_ = false;
    return true;
  }

 private:
  pid_t pid_;
  bool running_ = true;
};

class Timer {
 public:
  Timer(const ChildLimits& limits, const Call& call) : limits_(limits), call_(call) {}
  // Throws if the call is over or the child has had its time.
  void check() const {
    base::check(call_, kDoing);
    if (end_.passed())
      throw failed(fmt::format("credential_process did not end within {} s and was killed",
                               std::chrono::duration<double>(limits_.time).count()));
  }

 private:
  const ChildLimits& limits_;
  const Call& call_;
  Deadline end_ = Deadline::after(limits_.time);
};

std::string read_all(int fd, const ChildLimits& limits, const Timer& timer) {
  std::string output;
  char buffer[4096];
  for (;;) {
    timer.check();
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, static_cast<int>(kTick.count())) <= 0) continue;
    const auto got = read(fd, buffer, sizeof buffer);
    if (got == 0) return output;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failed("the output of credential_process could not be read");
    output.append(buffer, static_cast<std::size_t>(got));
    if (output.size() > limits.output_bytes)
      throw failed(fmt::format("credential_process wrote more than {} bytes", limits.output_bytes));
  }
}

int wait_for_end(Child& child, const Timer& timer, const Call& call) {
  int status = 0;
  auto pause = std::chrono::milliseconds{1};
  while (!child.ended(status)) {
    timer.check();
    base::sleep(pause, call, kDoing);
    pause = std::min(2 * pause, kTick);
  }
  return status;
}

void check_status(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const auto how = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                       : fmt::format("ended with status {}", WEXITSTATUS(status));
  throw failed(fmt::format("credential_process {}: run it by hand to see why", how));
}

}  // namespace

std::string run_child(const std::vector<std::string>& arguments,
                      const std::map<std::string, std::string>& environment, const ChildLimits& limits,
                      const Call& call) {
  if (arguments.empty()) throw failed("credential_process is empty");
  const Timer timer{limits, call};
  timer.check();
  Pipe pipe;
  Child child{spawn(arguments, environment, pipe.writer())};
  pipe.close_writer();
  auto output = read_all(pipe.reader(), limits, timer);
  check_status(wait_for_end(child, timer, call));
  return output;
}

}  // namespace penstock::aws
