#include "penstock/aws/credentials.h"

#include <list>
#include <mutex>

#include <pwd.h>
#include <unistd.h>

#include "penstock/aws/cache.h"
#include "penstock/aws/chain.h"
#include "penstock/aws/digest.h"
#include "penstock/aws/profile.h"
#include "penstock/base/workers.h"
#include "penstock/http/client.h"

namespace penstock::aws {
namespace {

std::string home_directory() {
  if (const char* home = std::getenv("HOME")) return home;
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) != 0 || !found) return "";
  return entry.pw_dir;
}

// Which client a shared cache counts in: the last that asked for it. A cache may outlive its clients.
struct ClientSlot {
  std::mutex mutex;
  std::weak_ptr<http::Client> client;

  std::shared_ptr<http::Client> lock() {
    const std::lock_guard guard{mutex};
    return client.lock();
  }
  void set(const std::shared_ptr<http::Client>& next) {
    const std::lock_guard guard{mutex};
    client = next;
  }
};

struct Shared {
  std::string key;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<ClientSlot> slot;
  std::shared_ptr<CredentialCache> cache;
};

// More different inputs than this in one process are test runs; the least recently asked for is forgotten.
constexpr std::size_t kMaxShared = 64;

struct Registry {
  std::mutex mutex;
  std::list<Shared> caches;  // most recently asked for first
};

// Never destroyed: worker threads may still load while the process exits.
Registry& registry() {
  static auto* const all = new Registry;
  return *all;
}

// The threads that load. Not a client's: dropping the last reference to a client on one of its own threads
// would have it join itself. A forked child has none of its parent's threads and starts anew.
Workers& loaders() {
  static std::mutex mutex;
  static Workers* workers = nullptr;
  static pid_t owner = 0;
  const std::lock_guard lock{mutex};
  if (std::exchange(owner, getpid()) != getpid()) workers = new Workers;
  return *workers;
}

// A digest, so that the registry keeps no second copy of secrets. Lengths keep the fields apart.
std::string key_of(const ChainInputs& inputs) {
  std::string text;
  const auto add = [&text](std::string_view field) {
    text.append(std::to_string(field.size())).append(":").append(field);
  };
  add(inputs.profile);
  add(inputs.region_hint);
  add(inputs.home);
  for (const auto& [name, value] : inputs.environment) {
    if (!name.starts_with("AWS_") && name != "PATH") continue;
    add(name);
    add(value);
  }
  return hex_sha256(text);
}

// What a load needs, at one address for as long as one may run.
struct World {
  ChainInputs inputs;
  ProviderParts parts;
  Chain chain = make_chain(inputs, parts);
};

std::shared_ptr<CredentialCache> chain_cache(ChainInputs inputs, const http::ClientOptions& web,
                                             std::shared_ptr<ClientSlot> slot, std::shared_ptr<Clock> clock) {
  auto world = std::make_shared<World>(std::move(inputs), ProviderParts{.web = web});
  return make_cache({.load = [world](const Call& call) { return load(world->chain, world->inputs, call); },
                     .run = [](std::function<void()> job) { loaders().run(std::move(job)); },
                     .clock = std::move(clock),
                     .fetched =
                         [slot = std::move(slot)] {
                           if (const auto client = slot->lock())
                             client->count([](http::Statistics& all) { ++all.credential_fetches; });
                         }});
}

std::shared_ptr<ClientSlot> slot_for(const std::shared_ptr<http::Client>& client) {
  auto slot = std::make_shared<ClientSlot>();
  slot->set(client);
  return slot;
}

std::shared_ptr<CredentialCache> shared_cache(ChainInputs inputs, const std::shared_ptr<http::Client>& client,
                                              const std::shared_ptr<Clock>& clock) {
  auto& all = registry();
  const auto key = key_of(inputs);
  const std::lock_guard lock{all.mutex};
  for (auto it = all.caches.begin(); it != all.caches.end(); ++it) {
    if (it->key != key || it->clock != clock) continue;
    it->slot->set(client);
    all.caches.splice(all.caches.begin(), all.caches, it);
    return it->cache;
  }
  auto slot = slot_for(client);
  auto cache = chain_cache(std::move(inputs), client->options(), slot, clock);
  all.caches.push_front({key, clock, slot, cache});
  if (all.caches.size() > kMaxShared) all.caches.pop_back();
  return cache;
}

}  // namespace

ChainInputs ChainInputs::from_process() {
  ChainInputs inputs;
  for (char** setting = environ; setting && *setting; ++setting) {
    const std::string_view text{*setting};
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      inputs.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  inputs.home = home_directory();
  return inputs;
}

std::shared_ptr<CredentialCache> credentials_for(ChainInputs inputs,
                                                 const std::shared_ptr<http::Client>& client) {
  auto clock = client->options().clock ? client->options().clock : Clock::system();
  // Given keys are right or wrong at once; a callable is the caller's own and cannot be compared with
  // another.
  if (inputs.anonymous || inputs.given) return fixed_cache(*given_provider(inputs)->load({}));
  if (inputs.callable || inputs.mfa)
    return chain_cache(std::move(inputs), client->options(), slot_for(client), std::move(clock));
  return shared_cache(std::move(inputs), client, clock);
}

std::string region_for(const ChainInputs& inputs) {
  if (!inputs.region_hint.empty()) return inputs.region_hint;
  for (const auto* name : {"AWS_REGION", "AWS_DEFAULT_REGION"})
    if (auto set = variable(inputs, name); !set.empty()) return set;
  const auto set = read_profile(inputs).setting("region");
  return set.empty() ? "us-east-1" : set;
}

std::string endpoint_for(const ChainInputs& inputs, std::string_view service) {
  std::string own{"AWS_ENDPOINT_URL_"};
  for (char c : service) own += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  for (const auto& name : {own, std::string{"AWS_ENDPOINT_URL"}, std::string{"AWS_ENDPOINT"}}) {
    if (name == "AWS_ENDPOINT" && service != "s3" && service != "sqs") continue;
    if (auto set = variable(inputs, name); !set.empty()) return set;
  }
  return read_profile(inputs).setting("endpoint_url");
}

}  // namespace penstock::aws
