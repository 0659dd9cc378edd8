#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"
#include "penstock/aws/shell_split.h"

namespace penstock::aws {
namespace {

constexpr KeyFields kFields{.token = "SessionToken"};

class Process : public CredentialProvider {
 public:
  Process(const ChainInputs& inputs, const ChildLimits& limits) : inputs_(inputs), limits_(limits) {}
  std::string name() const override { return "credential_process"; }
  std::optional<Credentials> load(const Call& call) override {
    const auto profile = read_profile(inputs_);
    const auto line = profile.setting("credential_process");
    if (line.empty()) return std::nullopt;
    const auto output = run_child(shell_split(line), inputs_.environment, limits_, call);
    const auto where = fmt::format("credential_process of profile {}", profile.name);
    const auto answer = parse_answer(output, where);
    const auto version = answer.find("Version");
    if (version == answer.end() || *version != 1)
      throw credentials_error(Kind::denied, where + " did not write \"Version\": 1, the only one there is");
    return keys_in(answer, kFields, where);
  }

 private:
  const ChainInputs& inputs_;
  const ChildLimits& limits_;
};

}  // namespace

std::unique_ptr<CredentialProvider> process_provider(const ChainInputs& inputs, const ProviderParts& parts) {
  return std::make_unique<Process>(inputs, parts.child);
}

}  // namespace penstock::aws
