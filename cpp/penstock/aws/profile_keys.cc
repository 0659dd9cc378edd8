#include <fmt/format.h>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"

namespace penstock::aws {
namespace {

std::string first_setting(const IniSection& section, std::initializer_list<const char*> keys) {
  for (const auto* key : keys)
    if (const auto found = section.find(key); found != section.end() && !found->second.empty())
      return found->second;
  return "";
}

std::optional<Credentials> keys_of(const IniSection& section, const std::string& profile,
                                   const std::string& path) {
  const auto id = first_setting(section, {"aws_access_key_id"});
  const auto secret = first_setting(section, {"aws_secret_access_key"});
  if (id.empty() && secret.empty()) return std::nullopt;
  if (id.empty() || secret.empty())
    throw credentials_error(Kind::denied,
                            fmt::format("profile {} in {} has no {}", profile, path,
                                        id.empty() ? "aws_access_key_id" : "aws_secret_access_key"),
                            path);
  return Credentials{.access_key_id = id,
                     .secret_access_key = secret,
                     .session_token = first_setting(section, {"aws_session_token", "aws_security_token"}),
                     .source = fmt::format("profile {} ({})", profile, path)};
}

class CredentialsFile : public CredentialProvider {
 public:
  explicit CredentialsFile(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "credentials file"; }
  std::optional<Credentials> load(const Call&) override {
    const auto profile = read_profile(inputs_);
    return keys_of(profile.credentials, profile.name, profile.credentials_path);
  }

 private:
  const ChainInputs& inputs_;
};

class ConfigFile : public CredentialProvider {
 public:
  explicit ConfigFile(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "config file"; }
  std::optional<Credentials> load(const Call&) override {
    const auto profile = read_profile(inputs_);
    return keys_of(profile.config, profile.name, profile.config_path);
  }

 private:
  const ChainInputs& inputs_;
};

// Asking for what is not there must not fall through to other keys.
class Login : public CredentialProvider {
 public:
  explicit Login(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "aws login"; }
  std::optional<Credentials> load(const Call&) override {
    const auto profile = read_profile(inputs_);
    if (profile.setting("login_session").empty()) return std::nullopt;
    throw credentials_error(
        Kind::refused,
        fmt::format("profile {} has login_session, and aws login is not there: let credential_process do it, "
                    "for example with \"aws configure export-credentials --format process\"",
                    profile.name));
  }

 private:
  const ChainInputs& inputs_;
};

}  // namespace

std::unique_ptr<CredentialProvider> credentials_file_provider(const ChainInputs& inputs) {
  return std::make_unique<CredentialsFile>(inputs);
}

std::unique_ptr<CredentialProvider> config_file_provider(const ChainInputs& inputs) {
  return std::make_unique<ConfigFile>(inputs);
}

std::unique_ptr<CredentialProvider> login_provider(const ChainInputs& inputs) {
  return std::make_unique<Login>(inputs);
}

}  // namespace penstock::aws
