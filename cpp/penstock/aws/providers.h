// The rows of the credential chain (s3.md 2.1), one a file; chain.cc puts them in order.
//
// All borrow `inputs` and `parts`, which must outlive them, and read files, variables and endpoints anew at
// every load.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "penstock/aws/child_process.h"
#include "penstock/aws/credentials.h"
#include "penstock/aws/key_client.h"

namespace penstock::aws {

// What providers work with besides the inputs.
struct ProviderParts {
  ChildLimits child;        // of credential_process
  http::ClientOptions web;  // of whoever signs with the keys: its certificates, proxy, clock and log
  std::string container_origin = "http://169.254.170.2";
  Patience container{.time = std::chrono::milliseconds{2000}, .tries = 3};
};

using Chain = std::vector<std::unique_ptr<CredentialProvider>>;

std::unique_ptr<CredentialProvider> given_provider(const ChainInputs& inputs);        // row 1
std::unique_ptr<CredentialProvider> environment_provider(const ChainInputs& inputs);  // 2
// 3. Roles are asked for where `root`, the profile the caller named, says that STS is; `visited` are the
// profiles on the way to this one.
std::unique_ptr<CredentialProvider> assume_role_provider(const ChainInputs& inputs,
                                                         const ProviderParts& parts, const ChainInputs& root,
                                                         std::vector<std::string> visited = {});
std::unique_ptr<CredentialProvider> web_identity_provider(const ChainInputs& inputs,
                                                          const ProviderParts& parts,
                                                          const ChainInputs& root);  // 4
std::unique_ptr<CredentialProvider> sso_provider(const ChainInputs& inputs, const ProviderParts& parts,
                                                 const ChainInputs& root);                 // 5
std::unique_ptr<CredentialProvider> credentials_file_provider(const ChainInputs& inputs);  // 6
std::unique_ptr<CredentialProvider> login_provider(const ChainInputs& inputs);             // refuses
std::unique_ptr<CredentialProvider> process_provider(const ChainInputs& inputs,
                                                     const ProviderParts& parts);     // 7
std::unique_ptr<CredentialProvider> config_file_provider(const ChainInputs& inputs);  // 8
std::unique_ptr<CredentialProvider> container_provider(const ChainInputs& inputs,
                                                       const ProviderParts& parts);  // 9
std::unique_ptr<CredentialProvider> instance_metadata_provider(const ChainInputs& inputs,
                                                               const ProviderParts& parts);  // 10

// Rows 4 to 8, what one profile holds by itself.
Chain profile_chain(const ChainInputs& inputs, const ProviderParts& parts, const ChainInputs& root);

// The keys in the environment, whatever profile is named; nullopt if there are none.
std::optional<Credentials> environment_keys(const ChainInputs& inputs);

// The facts().code of "there is no instance metadata here": nothing is configured, rather than broken.
inline constexpr std::string_view kNoMetadata = "no_instance_metadata";

}  // namespace penstock::aws
