// A home and an environment of a test's own, and the chain over them; nothing of the process's world gets in.
#pragma once

#include <filesystem>
#include <string>

#include "penstock/aws/chain.h"

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace penstock::aws {

struct ChainWorld {
  test::TemporaryFolder folder;
  ChainInputs inputs;
  ProviderParts parts;

  ChainWorld() {
    std::filesystem::create_directory(folder / ".aws");
    inputs.home = folder.path();
    inputs.environment["PATH"] = "/usr/bin:/bin";
    inputs.environment["AWS_EC2_METADATA_DISABLED"] = "true";
    parts.web.proxy = "";
    parts.web.tick = std::chrono::milliseconds{10};
  }
  ChainWorld& set(const std::string& name, const std::string& value) {
    inputs.environment[name] = value;
    return *this;
  }
  ChainWorld& credentials(const std::string& text) {
    test::write_file(folder / ".aws/credentials", text);
    return *this;
  }
  ChainWorld& config(const std::string& text) {
    test::write_file(folder / ".aws/config", text);
    return *this;
  }
  ChainWorld& profile(const std::string& name) {
    inputs.profile = name;
    return *this;
  }
  Credentials found(const Call& call = {}) const { return load(make_chain(inputs, parts), inputs, call); }
  Error failure() const {
    return test::error_of([this] { found(); });
  }
};

// Whether a message shows any of the secrets that tests hide: all of them hold this word.
inline bool shows_secret(const Error& error) {
  if (error.message().find("canary") != std::string::npos) return true;
  return error.facts().cause && shows_secret(*error.facts().cause);
}

}  // namespace penstock::aws
