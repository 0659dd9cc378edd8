#include "support/named_host.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include <dlfcn.h>
#include <netdb.h>

namespace penstock::test {

struct NamedHost::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Addresses> answers;
  std::size_t lookups = 0;
  bool gone = false;

  // Nullopt once the name is gone.
  std::optional<Addresses> answer() {
    std::unique_lock lock(mutex);
    const std::size_t number = lookups++;
    changed.wait(lock, [&] { return gone || !answers.empty(); });
    if (gone) return std::nullopt;
    return answers[std::min(number, answers.size() - 1)];
  }
};

namespace {

// Never destroyed: a resolver's detached thread may look at it while the program ends.
struct Names {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<NamedHost::State>> states;
};

Names& names() {
  static Names& all = *new Names;
  return all;
}

std::shared_ptr<NamedHost::State> named(const char* name) {
  const std::lock_guard lock(names().mutex);
  const auto found = name ? names().states.find(name) : names().states.end();
  return found == names().states.end() ? nullptr : found->second;
}

using GetAddrInfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

// One list of all; freeaddrinfo() takes it whole, because the C library frees link by link.
int look_up(GetAddrInfo real, const NamedHost::Addresses& addresses, const char* service,
            const addrinfo* hints, addrinfo** result) {
  addrinfo** end = result;
  *result = nullptr;
  for (const std::string& address : addresses) {
    if (const int error = real(address.c_str(), service, hints, end)) return error;
    while (*end) end = &(*end)->ai_next;
  }
  return 0;
}

}  // namespace

NamedHost::NamedHost(std::string name, std::vector<Addresses> answers)
    : name_(std::move(name)), state_(std::make_shared<State>()) {
  state_->answers = std::move(answers);
  const std::lock_guard lock(names().mutex);
  names().states[name_] = state_;
}

NamedHost::~NamedHost() {
  {
    const std::lock_guard lock(names().mutex);
    names().states.erase(name_);
  }
  const std::lock_guard lock(state_->mutex);
  state_->gone = true;
  state_->changed.notify_all();
}

int NamedHost::lookups() const {
  const std::lock_guard lock(state_->mutex);
  return static_cast<int>(state_->lookups);
}

}  // namespace penstock::test

// Takes the place of libc's in every program this is linked into.
extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* name, const char* service,
                                                                  const addrinfo* hints, addrinfo** result) {
  using namespace penstock::test;
  static const auto real = reinterpret_cast<GetAddrInfo>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const auto state = named(name);
  if (!state) return real(name, service, hints, result);
  const auto addresses = state->answer();
  return addresses ? look_up(real, *addresses, service, hints, result) : EAI_NONAME;
}
