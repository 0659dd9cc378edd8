#include <fmt/format.h>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"
#include "penstock/aws/small_file.h"
#include "penstock/aws/sts.h"

namespace penstock::aws {
namespace {

// STS takes tokens of at most 20,000 characters.
constexpr std::size_t kMaxTokenBytes = 20'000;

class WebIdentity : public CredentialProvider {
 public:
  WebIdentity(const ChainInputs& inputs, const ProviderParts& parts, const ChainInputs& root)
      : inputs_(inputs), parts_(parts), root_(root) {}
  std::string name() const override { return "web identity (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN)"; }
  std::optional<Credentials> load(const Call& call) override {
    const auto profile = read_profile(inputs_);
    const auto path = setting(profile, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file");
    if (path.empty()) return std::nullopt;
    const auto role = setting(profile, "AWS_ROLE_ARN", "role_arn");
    if (role.empty())
      throw credentials_error(
          Kind::denied, fmt::format("there is a web identity token file, {}, but no role: set AWS_ROLE_ARN, "
                                    "or role_arn in profile {}",
                                    path, profile.name));
    auto session = setting(profile, "AWS_ROLE_SESSION_NAME", "role_session_name");
    if (session.empty()) session = usual_session_name(parts_.web);
    const auto token = token_in(path);
    return ask_sts({.action = "AssumeRoleWithWebIdentity",
                    .fields = {{"RoleArn", role}, {"RoleSessionName", session}, {"WebIdentityToken", token}},
                    .secrets = {token},
                    .source = fmt::format("role {} by web identity", role)},
                   root_, parts_.web, call);
  }

 private:
  // A profile named by argument is a wish for what is in it.
  std::string setting(const Profile& profile, const char* name, const char* key) const {
    auto set = inputs_.profile.empty() ? variable(inputs_, name) : "";
    return set.empty() ? profile.setting(key) : set;
  }

  // Whoever hands tokens out replaces the file before the old one ends.
  static std::string token_in(const std::string& path) {
    auto token = read_small_file(path, kMaxTokenBytes);
    if (!token)
      throw credentials_error(Kind::denied, fmt::format("the web identity token file {} is not there", path),
                              path);
    token->erase(token->find_last_not_of(" \t\r\n") + 1);
    if (!token->empty()) return *std::move(token);
    throw credentials_error(Kind::denied, fmt::format("the web identity token file {} is empty", path), path);
  }

  const ChainInputs& inputs_;
  const ProviderParts& parts_;
  const ChainInputs& root_;
};

}  // namespace

std::unique_ptr<CredentialProvider> web_identity_provider(const ChainInputs& inputs,
                                                          const ProviderParts& parts,
                                                          const ChainInputs& root) {
  return std::make_unique<WebIdentity>(inputs, parts, root);
}

}  // namespace penstock::aws
