#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/key_client.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"
#include "penstock/aws/sso_token.h"
#include "penstock/base/wall_time.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

constexpr KeyFields kFields{"accessKeyId", "secretAccessKey", "sessionToken", nullptr};

class Sso : public CredentialProvider {
 public:
  Sso(const ChainInputs& inputs, const ProviderParts& parts, const ChainInputs& root)
      : inputs_(inputs), parts_(parts), root_(root) {}
  std::string name() const override { return "single sign-on of the profile"; }
  std::optional<Credentials> load(const Call& call) override {
    const auto profile = read_profile(inputs_);
    // A profile may hold a session for other ends: the account and the role say that keys are meant.
    if (profile.setting("sso_account_id").empty() && profile.setting("sso_role_name").empty())
      return std::nullopt;
    const Settings settings{profile, inputs_};
    const auto region = settings.at("sso_region");
    const auto token = sso_token(login(settings, profile, region), parts_.web, call);
    return keys_for(token, settings, region, profile, call);
  }

 private:
  // A profile's own settings and those of the session it names, which must not contradict each other.
  class Settings {
   public:
    Settings(const Profile& profile, const ChainInputs& inputs)
        : profile_(profile), session_(profile.setting("sso_session")) {
      if (session_.empty()) return;
      const auto found = read_sso_session(inputs, session_);
      if (!found)
        throw refuse(fmt::format("sso_session = {}, which {} lacks", session_, profile.config_path));
      shared_ = *found;
      for (const auto& [key, value] : shared_)
        if (const auto own = profile.setting(key); !own.empty() && own != value)
          throw refuse(fmt::format("another {} than sso-session {}", key, session_));
    }
    std::string at(const std::string& key) const {
      auto set = profile_.setting(key);
      if (const auto found = shared_.find(key); set.empty() && found != shared_.end()) set = found->second;
      if (!set.empty()) return set;
      throw refuse(fmt::format("single sign-on without {}", key));
    }
    const std::string& session() const { return session_; }

   private:
    Error refuse(const std::string& what) const {
      return credentials_error(Kind::refused, fmt::format("profile {} has {}", profile_.name, what));
    }
    const Profile& profile_;
    const std::string session_;
    IniSection shared_;
  };

  SsoLogin login(const Settings& settings, const Profile& profile, const std::string& region) const {
    const auto start_url = settings.at("sso_start_url");
    return {.name = settings.session().empty() ? start_url : settings.session(),
            .directory = inputs_.home + "/.aws/sso/cache",
            .oidc_url = key_service_url(root_, "sso-oidc", "oidc", region),
            .advice = fmt::format("run aws sso login --profile {}", profile.name)};
  }

  Credentials keys_for(const std::string& token, const Settings& settings, const std::string& region,
                       const Profile& profile, const Call& call) const {
    const auto role = settings.at("sso_role_name"), account = settings.at("sso_account_id");
    const auto source = fmt::format("single sign-on of profile {}", profile.name);
    http::Request request{.url = fmt::format("{}/federation/credentials?role_name={}&account_id={}",
                                             key_service_url(root_, "sso", "portal.sso", region),
                                             http::percent_encode(role, false),
                                             http::percent_encode(account, false))};
    request.headers.add("x-amz-sso_bearer_token", token);
    request.secret_headers.emplace_back("x-amz-sso_bearer_token");
    const auto client = KeyClient::service(source, parts_.web);
    try {
      const auto answer = client.ask(std::move(request), call);
      auto keys = keys_from(parse_answer(answer.body, source), source);
      keys.expires = answer.ours(*keys.expires);
      return keys;
    } catch (Error& error) {
      if (!error.facts().cause || error.facts().cause->facts().status != 401) throw;
      throw credentials_error(
          Kind::denied, fmt::format("{}: run aws sso login --profile {}", error.message(), profile.name));
    }
  }

  static Credentials keys_from(const nlohmann::json& answer, const std::string& source) {
    const auto found = answer.find("roleCredentials");
    if (found == answer.end() || !found->is_object())
      throw credentials_error(Kind::denied, source + ": the answer has no roleCredentials");
    auto keys = keys_in(*found, kFields, source);
    const auto ends = found->find("expiration");
    if (ends == found->end() || !ends->is_number_integer())
      throw credentials_error(Kind::denied, source + ": expiration is no number of milliseconds");
    keys.expires = wall_time(std::chrono::seconds{ends->get<std::int64_t>() / 1000});
    return keys;
  }

  const ChainInputs& inputs_;
  const ProviderParts& parts_;
  const ChainInputs& root_;
};

}  // namespace

std::unique_ptr<CredentialProvider> sso_provider(const ChainInputs& inputs, const ProviderParts& parts,
                                                 const ChainInputs& root) {
  return std::make_unique<Sso>(inputs, parts, root);
}

}  // namespace penstock::aws
