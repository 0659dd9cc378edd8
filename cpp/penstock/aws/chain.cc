#include "penstock/aws/chain.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/dates.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/shell_split.h"
#include "penstock/base/json.h"

namespace penstock::aws {
namespace {

constexpr const char* kDoing = "load credentials";

Error failed(Kind kind, std::string message, std::string subject = {}) {
  return Error{kind, std::move(message), {.doing = kDoing, .subject = std::move(subject)}};
}

Credentials complete(Credentials keys, std::string_view where) {
  const auto missing = keys.access_key_id.empty() ? "access key id" : "secret access key";
  if (!keys.anonymous && (keys.access_key_id.empty() || keys.secret_access_key.empty()))
    throw failed(Kind::denied, fmt::format("credentials from {} have no {}", where, missing));
  if (keys.source.empty()) keys.source = where;
  return keys;
}

// Row 1. Always decides when configured.
class Given : public CredentialProvider {
 public:
  explicit Given(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "arguments"; }
  std::optional<Credentials> load(const Call&) override {
    if (inputs_.anonymous) return Credentials{.anonymous = true, .source = "anonymous"};
    if (inputs_.given) return complete(*inputs_.given, "given");
    if (inputs_.callable) return complete(inputs_.callable(), "callable");
    return std::nullopt;
  }

 private:
  const ChainInputs& inputs_;
};

// Row 2. A profile named by argument is a wish for that profile's keys.
class Environment : public CredentialProvider {
 public:
  explicit Environment(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"; }
  std::optional<Credentials> load(const Call&) override {
    if (!inputs_.profile.empty()) return std::nullopt;
    const auto id = variable(inputs_, "AWS_ACCESS_KEY_ID");
    const auto secret = variable(inputs_, "AWS_SECRET_ACCESS_KEY");
    if (id.empty() && secret.empty()) return std::nullopt;
    if (id.empty()) throw one_alone("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID");
    if (secret.empty()) throw one_alone("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    return Credentials{.access_key_id = id,
                       .secret_access_key = secret,
                       .session_token = variable(inputs_, "AWS_SESSION_TOKEN"),
                       .source = "environment"};
  }

 private:
  static Error one_alone(const char* set, const char* missing) {
    return failed(Kind::denied, fmt::format("{} is set but {} is not: set both, or neither", set, missing));
  }
  const ChainInputs& inputs_;
};

// Rows 3 to 5, and logins: asking for what is not there must not fall through to other keys.
class NotThere : public CredentialProvider {
 public:
  explicit NotThere(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "roles and single sign-on"; }
  std::optional<Credentials> load(const Call&) override {
    const auto profile = read_profile(inputs_);
    for (const auto& [key, what] : kAsked)
      if (!profile.setting(key).empty()) refuse(fmt::format("profile {} has {}", profile.name, key), what);
    if (inputs_.profile.empty() && !variable(inputs_, "AWS_WEB_IDENTITY_TOKEN_FILE").empty() &&
        !variable(inputs_, "AWS_ROLE_ARN").empty())
      refuse("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are set", "web identity");
    return std::nullopt;
  }

 private:
  static constexpr std::pair<const char*, const char*> kAsked[] = {
      {"web_identity_token_file", "web identity"},
      {"credential_source", "assuming a role with container or instance credentials"},
      {"role_arn", "assuming a role"},
      {"sso_session", "single sign-on"},
      {"sso_start_url", "single sign-on"},
      {"login_session", "aws login"},
  };
  [[noreturn]] static void refuse(const std::string& found, const char* what) {
    throw failed(Kind::refused,
                 fmt::format("{}, but {} is not there yet: let credential_process do it, for example with "
                             "\"aws configure export-credentials --format process\"",
                             found, what));
  }
  const ChainInputs& inputs_;
};

std::string first_setting(const IniSection& section, std::initializer_list<const char*> keys) {
  for (const auto* key : keys)
    if (const auto found = section.find(key); found != section.end() && !found->second.empty())
      return found->second;
  return "";
}

std::optional<Credentials> keys_in(const IniSection& section, const std::string& profile,
                                   const std::string& path) {
  const auto id = first_setting(section, {"aws_access_key_id"});
  const auto secret = first_setting(section, {"aws_secret_access_key"});
  if (id.empty() && secret.empty()) return std::nullopt;
  if (id.empty() || secret.empty())
    throw failed(Kind::denied,
                 fmt::format("profile {} in {} has no {}", profile, path,
                             id.empty() ? "aws_access_key_id" : "aws_secret_access_key"),
                 path);
  return Credentials{.access_key_id = id,
                     .secret_access_key = secret,
                     .session_token = first_setting(section, {"aws_session_token", "aws_security_token"}),
                     .source = fmt::format("profile {} ({})", profile, path)};
}

// Row 6.
class CredentialsFile : public CredentialProvider {
 public:
  explicit CredentialsFile(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "credentials file"; }
  std::optional<Credentials> load(const Call&) override {
    const auto profile = read_profile(inputs_);
    return keys_in(profile.credentials, profile.name, profile.credentials_path);
  }

 private:
  const ChainInputs& inputs_;
};

// Row 7.
class Process : public CredentialProvider {
 public:
  Process(const ChainInputs& inputs, const ChildLimits& limits) : inputs_(inputs), limits_(limits) {}
  std::string name() const override { return "credential_process"; }
  std::optional<Credentials> load(const Call& call) override {
    const auto profile = read_profile(inputs_);
    const auto line = profile.setting("credential_process");
    if (line.empty()) return std::nullopt;
    const auto output = run_child(shell_split(line), inputs_.environment, limits_, call);
    return read_output(output, fmt::format("credential_process of profile {}", profile.name));
  }

 private:
  static std::string text_of(const nlohmann::json& answer, const char* key, const std::string& where) {
    const auto found = answer.find(key);
    if (found == answer.end() || found->is_null()) return "";
    if (!found->is_string()) throw failed(Kind::denied, fmt::format("{}: {} is not a string", where, key));
    return found->get<std::string>();
  }

  static nlohmann::json parsed(const std::string& output, const std::string& where) {
    try {
      auto answer = parse_json(output);
      if (answer.is_object()) return answer;
    } catch (const Error&) {
      // What the parser says could place the reader near a secret; that it is no JSON is enough.
    }
    throw failed(Kind::denied, where + " did not write one JSON object");
  }

  static Credentials read_output(const std::string& output, const std::string& where) {
    const auto answer = parsed(output, where);
    const auto version = answer.find("Version");
    if (version == answer.end() || *version != 1)
      throw failed(Kind::denied, where + " did not write \"Version\": 1, the only one there is");
    Credentials keys{.access_key_id = text_of(answer, "AccessKeyId", where),
                     .secret_access_key = text_of(answer, "SecretAccessKey", where),
                     .session_token = text_of(answer, "SessionToken", where),
                     .source = where};
    if (const auto expires = text_of(answer, "Expiration", where); !expires.empty()) {
      keys.expires = parse_iso8601(expires);
      if (!keys.expires) throw failed(Kind::denied, where + ": Expiration is not an ISO 8601 time");
    }
    return complete(std::move(keys), where);
  }

  const ChainInputs& inputs_;
  ChildLimits limits_;
};

// Row 8.
class ConfigFile : public CredentialProvider {
 public:
  explicit ConfigFile(const ChainInputs& inputs) : inputs_(inputs) {}
  std::string name() const override { return "config file"; }
  std::optional<Credentials> load(const Call&) override {
    const auto profile = read_profile(inputs_);
    return keys_in(profile.config, profile.name, profile.config_path);
  }

 private:
  const ChainInputs& inputs_;
};

Error nothing_found(const Chain& chain, const ChainInputs& inputs) {
  const auto profile = read_profile(inputs);
  if (!profile.found && profile_is_named(inputs))
    return failed(Kind::denied, fmt::format("profile {} is in neither {} nor {}", profile.name,
                                            profile.credentials_path, profile.config_path));
  std::string looked;
  for (const auto& provider : chain) looked += (looked.empty() ? "" : ", ") + provider->name();
  return failed(
      Kind::denied,
      fmt::format("no credentials found; looked at: {}; files: {}, {}, profile {}. Set them, name a "
                  "profile, or ask for anonymous access (container and instance credentials are not "
                  "there yet)",
                  looked, profile.credentials_path, profile.config_path, profile.name));
}

bool environment_names_a_source(const ChainInputs& inputs) {
  const auto set = [&inputs](const char* name) { return !variable(inputs, name).empty(); };
  return (set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY")) ||
         (set("AWS_WEB_IDENTITY_TOKEN_FILE") && set("AWS_ROLE_ARN")) ||
         set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

bool profile_names_a_source(const Profile& profile) {
  constexpr const char* kSources[] = {"aws_access_key_id",       "credential_process", "role_arn",
                                      "web_identity_token_file", "credential_source",  "sso_session",
                                      "sso_start_url",           "login_session"};
  return std::any_of(std::begin(kSources), std::end(kSources),
                     [&profile](const char* key) { return !profile.setting(key).empty(); });
}

}  // namespace

Chain make_chain(const ChainInputs& inputs, const ChildLimits& limits) {
  Chain chain;
  chain.push_back(std::make_unique<Given>(inputs));
  chain.push_back(std::make_unique<Environment>(inputs));
  chain.push_back(std::make_unique<NotThere>(inputs));
  chain.push_back(std::make_unique<CredentialsFile>(inputs));
  chain.push_back(std::make_unique<Process>(inputs, limits));
  chain.push_back(std::make_unique<ConfigFile>(inputs));
  return chain;
}

Credentials load(const Chain& chain, const ChainInputs& inputs, const Call& call) {
  for (const auto& provider : chain)
    if (auto keys = provider->load(call)) return *std::move(keys);
  throw nothing_found(chain, inputs);
}

bool names_a_source(const ChainInputs& inputs) {
  if (inputs.anonymous || inputs.given || inputs.callable) return true;
  // A profile named by argument is a wish for that profile's keys.
  if (inputs.profile.empty() && environment_names_a_source(inputs)) return true;
  return profile_names_a_source(read_profile(inputs));
}

}  // namespace penstock::aws
