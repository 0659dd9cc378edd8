#include "penstock/aws/chain.h"

#include <algorithm>

#include <fmt/format.h>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/profile.h"

namespace penstock::aws {
namespace {

// Always decides when configured.
class Given : public CredentialProvider {
 public:
  explicit Given(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "arguments"; }
  std::optional<Credentials> load(const Call&) override {
    if (inputs_.anonymous) return Credentials{.anonymous = true, .source = "anonymous"};
    if (inputs_.given) return whole_keys(*inputs_.given, "given");
    if (inputs_.callable) return whole_keys(inputs_.callable(), "callable");
    return std::nullopt;
  }

 private:
  const ChainInputs& inputs_;
};

// Before what the machine gives to everyone on it: a misspelt profile must not end as the instance's role.
class NamedProfile : public CredentialProvider {
 public:
  explicit NamedProfile(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "named profile"; }
  std::optional<Credentials> load(const Call&) override {
    if (!profile_is_named(inputs_)) return std::nullopt;
    const auto profile = read_profile(inputs_);
    if (profile.found) return std::nullopt;
    throw credentials_error(Kind::denied, fmt::format("profile {} is in neither {} nor {}", profile.name,
                                                      profile.credentials_path, profile.config_path));
  }

 private:
  const ChainInputs& inputs_;
};

Error nothing_found(const Chain& chain, const ChainInputs& inputs, const Error* last) {
  const auto profile = read_profile(inputs);
  std::string looked;
  for (const auto& provider : chain) looked += (looked.empty() ? "" : ", ") + provider->name();
  auto error = credentials_error(
      Kind::denied,
      fmt::format(
          "no credentials found; looked at: {}; files: {}, {}, profile {}{}. Set them, name a profile, "
          "or ask for anonymous access",
          looked, profile.credentials_path, profile.config_path, profile.name,
          last ? "; " + last->message() : ""));
  if (last) error.facts().cause = std::make_shared<Error>(*last);
  return error;
}

bool environment_names_a_source(const ChainInputs& inputs) {
  const auto set = [&inputs](const char* name) { return !variable(inputs, name).empty(); };
  return (set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY")) ||
         (set("AWS_WEB_IDENTITY_TOKEN_FILE") && set("AWS_ROLE_ARN"));
}

// What is not the profile's: it is there for whatever profile has nothing of its own.
bool machine_names_a_source(const ChainInputs& inputs) {
  const auto set = [&inputs](const char* name) { return !variable(inputs, name).empty(); };
  return set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI") ||
         set("AWS_EC2_METADATA_SERVICE_ENDPOINT");
}

bool profile_names_a_source(const Profile& profile) {
  constexpr const char* kSources[] = {"aws_access_key_id",       "credential_process", "role_arn",
                                      "web_identity_token_file", "credential_source",  "sso_account_id",
                                      "sso_role_name",           "login_session"};
  return std::any_of(std::begin(kSources), std::end(kSources),
                     [&profile](const char* key) { return !profile.setting(key).empty(); });
}

}  // namespace

std::unique_ptr<CredentialProvider> given_provider(const ChainInputs& inputs) {
  return std::make_unique<Given>(inputs);
}

Chain profile_chain(const ChainInputs& inputs, const ProviderParts& parts, const ChainInputs& root) {
  Chain chain;
  chain.push_back(web_identity_provider(inputs, parts, root));
  chain.push_back(sso_provider(inputs, parts, root));
  chain.push_back(credentials_file_provider(inputs));
  chain.push_back(login_provider(inputs));
  chain.push_back(process_provider(inputs, parts));
  chain.push_back(config_file_provider(inputs));
  return chain;
}

Chain make_chain(const ChainInputs& inputs, const ProviderParts& parts) {
  Chain chain;
  chain.push_back(given_provider(inputs));
  chain.push_back(environment_provider(inputs));
  chain.push_back(assume_role_provider(inputs, parts, inputs));
  for (auto& provider : profile_chain(inputs, parts, inputs)) chain.push_back(std::move(provider));
  chain.push_back(std::make_unique<NamedProfile>(inputs));
  chain.push_back(container_provider(inputs, parts));
  chain.push_back(instance_metadata_provider(inputs, parts));
  return chain;
}

Credentials load(const Chain& chain, const ChainInputs& inputs, const Call& call) {
  try {
    for (const auto& provider : chain)
      if (auto keys = provider->load(call)) return *std::move(keys);
  } catch (const Error& error) {
    // That there is no instance around us is no fault of a configured provider: none was configured.
    if (error.facts().code != kNoMetadata) throw;
    throw nothing_found(chain, inputs, &error);
  }
  throw nothing_found(chain, inputs, nullptr);
}

bool names_a_source(const ChainInputs& inputs) {
  if (inputs.anonymous || inputs.given || inputs.callable) return true;
  // A profile named by argument is a wish for that profile's keys.
  if (inputs.profile.empty() && environment_names_a_source(inputs)) return true;
  return profile_names_a_source(read_profile(inputs)) || machine_names_a_source(inputs);
}

}  // namespace penstock::aws
