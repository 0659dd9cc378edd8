#include <fmt/format.h>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"

namespace penstock::aws {
namespace {

Error one_alone(const char* set, const char* missing) {
  return credentials_error(Kind::denied,
                           fmt::format("{} is set but {} is not: set both, or neither", set, missing));
}

// A profile named by argument is a wish for that profile's keys.
class Environment : public CredentialProvider {
 public:
  explicit Environment(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"; }
  std::optional<Credentials> load(const Call&) override {
    if (!inputs_.profile.empty()) return std::nullopt;
    return environment_keys(inputs_);
  }

 private:
  const ChainInputs& inputs_;
};

}  // namespace

std::optional<Credentials> environment_keys(const ChainInputs& inputs) {
  const auto id = variable(inputs, "AWS_ACCESS_KEY_ID");
  const auto secret = variable(inputs, "AWS_SECRET_ACCESS_KEY");
  if (id.empty() && secret.empty()) return std::nullopt;
  if (id.empty()) throw one_alone("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID");
  if (secret.empty()) throw one_alone("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
  return Credentials{.access_key_id = id,
                     .secret_access_key = secret,
                     .session_token = variable(inputs, "AWS_SESSION_TOKEN"),
                     .source = "environment"};
}

std::unique_ptr<CredentialProvider> environment_provider(const ChainInputs& inputs) {
  return std::make_unique<Environment>(inputs);
}

}  // namespace penstock::aws
