#include "penstock/kv/resolve.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <netdb.h>

#include "penstock/base/error.h"
#include "penstock/base/wait.h"

namespace penstock::kv {
namespace {

struct Answer {
  int error = 0;
  std::vector<Address> addresses{};
};

Answer ask(const std::string& host, std::uint16_t port, int flags) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  Answer answer{.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found)};
  if (answer.error != 0) return answer;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned{found, &::freeaddrinfo};
  for (const addrinfo* each = found; each; each = each->ai_next) {
    Address address{.size = each->ai_addrlen, .family = each->ai_family};
    std::memcpy(&address.bytes, each->ai_addr, each->ai_addrlen);
    answer.addresses.push_back(address);
  }
  return answer;
}

Error failure(Kind kind, const std::string& host, std::string_view what, std::string_view code) {
  return {kind,
          fmt::format("cannot find the address of {}: {}", host, what),
          {.doing = "resolve", .subject = host, .code = std::string{code}}};
}

struct Lookup {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<Answer> answer;
};

std::atomic<int> lookups = 0;

void start(const std::shared_ptr<Lookup>& lookup, const std::string& host, std::uint16_t port) {
  if (lookups.fetch_add(1) >= kMaxLookups) {
    --lookups;
    throw failure(Kind::busy, host, "too many names are being looked up; is the resolver down?", "lookups");
  }
  try {
    std::thread{[lookup, host, port] {
      Answer answer = ask(host, port, 0);
      --lookups;
      const std::lock_guard lock{lookup->mutex};
      lookup->answer = std::move(answer);
      lookup->changed.notify_all();
    }}.detach();
  } catch (const std::system_error&) {
    --lookups;
    throw failure(Kind::busy, host, "the system gives no thread", "EAGAIN");
  }
}

Answer ask_aside(const std::string& host, std::uint16_t port, SteadyTime until, const Call& call) {
  const auto lookup = std::make_shared<Lookup>();
  start(lookup, host, port);
  Call bounded = call;
  if (!call.deadline.at() || *call.deadline.at() > until) bounded.deadline = Deadline{until};
  std::unique_lock lock{lookup->mutex};
  try {
    base::wait(lookup->changed, lock, bounded, "resolve a name", [&] { return lookup->answer.has_value(); });
  } catch (const Error&) {
    if (call.deadline.passed() || !bounded.deadline.passed()) throw;
    throw failure(Kind::lost, host, "the resolver does not answer", code::kStalled);
  }
  return std::move(*lookup->answer);
}

}  // namespace

std::vector<Address> resolve(const std::string& host, std::uint16_t port, SteadyTime until,
                             const Call& call) {
  Answer answer = ask(host, port, AI_NUMERICHOST);
  if (answer.error != 0) answer = ask_aside(host, port, until, call);
  if (answer.error == EAI_AGAIN) throw failure(Kind::lost, host, ::gai_strerror(answer.error), "resolver");
  if (answer.error != 0) throw failure(Kind::missing, host, ::gai_strerror(answer.error), "unknown_host");
  return std::move(answer.addresses);
}

}  // namespace penstock::kv
