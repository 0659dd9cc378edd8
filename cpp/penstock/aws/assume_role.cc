#include <algorithm>

#include <fmt/format.h>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"
#include "penstock/aws/sts.h"

namespace penstock::aws {
namespace {

// Roles over roles. More are a mistake, and each costs an exchange.
constexpr std::size_t kMaxRoles = 16;
constexpr std::size_t kMfaDigits = 6;

Error refused(const Profile& profile, std::string_view why) {
  return credentials_error(Kind::refused, fmt::format("profile {} {}", profile.name, why));
}

bool has_keys(const Profile& profile) {
  return !profile.setting("aws_access_key_id").empty() || !profile.setting("aws_secret_access_key").empty();
}

class AssumeRole : public CredentialProvider {
 public:
  AssumeRole(const ChainInputs& inputs, const ProviderParts& parts, const ChainInputs& root,
             std::vector<std::string> visited)
      : inputs_(inputs), parts_(parts), root_(root), visited_(std::move(visited)) {}
  std::string name() const override { return "role of the profile"; }
  std::optional<Credentials> load(const Call& call) override {
    const auto profile = read_profile(inputs_);
    const auto role = profile.setting("role_arn");
    // With a web identity the role is that provider's.
    if (role.empty() || !profile.setting("web_identity_token_file").empty()) return std::nullopt;
    auto session = profile.setting("role_session_name");
    if (session.empty()) session = usual_session_name(parts_.web);
    const auto duration = duration_of(profile);
    auto keys = source_keys(profile, call);
    const auto serial = profile.setting("mfa_serial");
    const auto code = serial.empty() ? "" : mfa_code(profile, serial);
    return ask_sts({.action = "AssumeRole",
                    .fields = {{"RoleArn", role},
                               {"RoleSessionName", session},
                               {"ExternalId", profile.setting("external_id")},
                               {"DurationSeconds", duration},
                               {"SerialNumber", serial},
                               {"TokenCode", code}},
                    .keys = std::move(keys),
                    .secrets = {code, profile.setting("external_id")},
                    .source = fmt::format("role {} of profile {}", role, profile.name)},
                   root_, parts_.web, call);
  }

 private:
  static std::string duration_of(const Profile& profile) {
    const auto set = profile.setting("duration_seconds");
    if (set.empty()) return "";
    return std::to_string(whole_number(set, "duration_seconds", 900, 43'200));
  }

  std::string mfa_code(const Profile& profile, const std::string& serial) const {
    if (!inputs_.mfa)
      throw refused(profile,
                    "has mfa_serial: give mfa=, a callable that returns the code of that device, or let "
                    "credential_process do it");
    auto code = inputs_.mfa(serial);
    const bool fits =
        code.size() == kMfaDigits && std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
    if (fits) return code;
    throw credentials_error(
        Kind::refused, fmt::format("mfa= did not return the {} digits of a code for {}", kMfaDigits, serial));
  }

  Credentials source_keys(const Profile& profile, const Call& call) const {
    const auto place = profile.setting("credential_source");
    const auto source = profile.setting("source_profile");
    if (place.empty() == source.empty())
      throw refused(profile, place.empty() ? "has role_arn but neither source_profile nor credential_source"
                                           : "has both source_profile and credential_source");
    return place.empty() ? keys_of_profile(profile, source, call) : keys_of_place(profile, place, call);
  }

  Credentials keys_of_place(const Profile& profile, const std::string& place, const Call& call) const {
    std::optional<Credentials> keys;
    if (place == "Environment")
      keys = environment_keys(inputs_);
    else if (place == "EcsContainer")
      keys = container_provider(inputs_, parts_)->load(call);
    else if (place == "Ec2InstanceMetadata")
      keys = instance_keys(call);
    else
      throw refused(profile,
                    "has a credential_source that is none of Environment, Ec2InstanceMetadata, "
                    "EcsContainer");
    if (keys) return *std::move(keys);
    throw credentials_error(
        Kind::denied,
        fmt::format("profile {} has credential_source = {}, which has no credentials", profile.name, place));
  }

  // Here the profile asks for it, so that it is not there is an error of its own.
  std::optional<Credentials> instance_keys(const Call& call) const {
    try {
      return instance_metadata_provider(inputs_, parts_)->load(call);
    } catch (Error& error) {
      if (error.facts().code == kNoMetadata) error.facts().code.clear();
      throw;
    }
  }

  Credentials keys_of_profile(const Profile& profile, const std::string& name, const Call& call) const {
    ChainInputs inputs = inputs_;
    inputs.profile = name;
    const auto source = read_profile(inputs);
    if (!source.found) throw refused(profile, fmt::format("has source_profile = {}, which is nowhere", name));
    auto visited = visited_;
    visited.push_back(profile.name);
    // Keys of its own end the way, also where a profile names itself for them.
    const bool is_role = !has_keys(source) && !source.setting("role_arn").empty();
    const bool again = std::ranges::find(visited, name) != visited.end();
    if (again && (name != profile.name || !has_keys(source)))
      throw refused(profile, fmt::format("has source_profile = {}, which leads back to it", name));
    if (visited.size() >= kMaxRoles)
      throw refused(profile, fmt::format("is the {}th role in a row", kMaxRoles));
    if (is_role)
      if (auto keys = assume_role_provider(inputs, parts_, root_, std::move(visited))->load(call))
        return *std::move(keys);
    for (const auto& provider : profile_chain(inputs, parts_, root_))
      if (auto keys = provider->load(call)) return *std::move(keys);
    throw credentials_error(Kind::denied, fmt::format("profile {} has source_profile = {}, which has no "
                                                      "credentials",
                                                      profile.name, name));
  }

  const ChainInputs& inputs_;
  const ProviderParts& parts_;
  const ChainInputs& root_;
  const std::vector<std::string> visited_;
};

}  // namespace

std::unique_ptr<CredentialProvider> assume_role_provider(const ChainInputs& inputs,
                                                         const ProviderParts& parts, const ChainInputs& root,
                                                         std::vector<std::string> visited) {
  return std::make_unique<AssumeRole>(inputs, parts, root, std::move(visited));
}

}  // namespace penstock::aws
