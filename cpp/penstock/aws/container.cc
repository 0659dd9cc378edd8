#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/key_client.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"
#include "penstock/aws/small_file.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

constexpr const char* kRelative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
constexpr const char* kFull = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
constexpr const char* kToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
constexpr const char* kTokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
constexpr std::size_t kMaxTokenBytes = 16 * 1024;

http::AddressPolicy loopback() {
  return http::AddressPolicy::custom({"127.0.0.0/8", "::1/128"}, {});
}

// The agents of ECS and EKS. What the token would open is worth keys, so nothing else gets it unencrypted.
bool is_agent(const std::string& host) {
  return host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23";
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || (http::is_address(host) && loopback().allows(host));
}

void check_place(const http::Url& url) {
  if (url.has_userinfo)
    throw credentials_error(Kind::refused, fmt::format("{} holds a user; leave it out", kFull));
  if (url.scheme == "https" || is_agent(url.host) || is_loopback(url.host)) return;
  throw credentials_error(
      Kind::refused,
      fmt::format("{} is http to {}: only https, loopback and the agents of ECS and EKS may hand out keys",
                  kFull, url.host));
}

class Container : public CredentialProvider {
 public:
  Container(const ChainInputs& inputs, const ProviderParts& parts) : inputs_(inputs), parts_(parts) {}
  std::string name() const override { return "container"; }
  std::optional<Credentials> load(const Call& call) override {
    const auto place = where();
    if (place.empty()) return std::nullopt;
    const auto url = http::Url::parse(place);
    const auto source = fmt::format("container credentials ({})", url.origin());
    http::Request request{.url = place};
    request.headers.add("Accept", "application/json");
    if (auto token = authorization(); !token.empty()) request.headers.add("Authorization", std::move(token));
    // The name may stand for anything; loopback is what it was let through for.
    const auto client =
        KeyClient::metadata(source, parts_.web, parts_.container,
                            url.host == "localhost" ? loopback() : http::AddressPolicy::unguarded());
    const auto answer = client.ask(std::move(request), call);
    auto keys = keys_in(parse_answer(answer.body, source), {}, source);
    if (keys.expires) keys.expires = answer.ours(*keys.expires);
    return keys;
  }

 private:
  // "": no container.
  std::string where() const {
    if (const auto relative = variable(inputs_, kRelative); !relative.empty()) {
      // "@host/" behind the address would make a user of it.
      if (!relative.starts_with('/'))
        throw credentials_error(Kind::refused, fmt::format("{} does not begin with /", kRelative));
      return parts_.container_origin + relative;
    }
    auto full = variable(inputs_, kFull);
    if (!full.empty()) check_place(http::Url::parse(full));
    return full;
  }

  std::string authorization() const {
    const auto path = variable(inputs_, kTokenFile);
    if (path.empty()) return checked(variable(inputs_, kToken), kToken);
    auto token = read_small_file(path, kMaxTokenBytes);
    if (!token)
      throw credentials_error(Kind::denied, fmt::format("{} names {}, which is no file", kTokenFile, path),
                              path);
    return checked(*std::move(token), kTokenFile);
  }

  static std::string checked(std::string token, const char* from) {
    const bool fits = std::ranges::none_of(token, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    if (fits) return token;
    throw credentials_error(Kind::refused, fmt::format("the token of {} holds a line break", from));
  }

  const ChainInputs& inputs_;
  const ProviderParts& parts_;
};

}  // namespace

std::unique_ptr<CredentialProvider> container_provider(const ChainInputs& inputs,
                                                       const ProviderParts& parts) {
  return std::make_unique<Container>(inputs, parts);
}

}  // namespace penstock::aws
