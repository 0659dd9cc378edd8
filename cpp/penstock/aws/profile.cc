#include "penstock/aws/profile.h"

#include <charconv>

#include <fmt/format.h>

#include "penstock/aws/shell_split.h"

namespace penstock::aws {
namespace {

std::string expanded(const std::string& path, const std::string& home) {
  return path == "~" || path.starts_with("~/") ? home + path.substr(1) : path;
}

std::string path_from(const ChainInputs& inputs, const char* name, const char* below_home) {
  const auto set = variable(inputs, name);
  if (!set.empty()) return expanded(set, inputs.home);
  return inputs.home.empty() ? "" : inputs.home + below_home;
}

// What follows the word: "profile dev", "sso-session \"my corp\"". "" if the section is of another kind.
std::string named_by(const std::string& section, const std::string& word) {
  if (!section.starts_with(word + " ")) return "";
  try {
    const auto words = shell_split(section.substr(word.size() + 1));
    return words.size() == 1 ? words.front() : "";
  } catch (const Error&) {
    return "";
  }
}

// "default" does without the word.
std::string profile_of_section(const std::string& section) {
  return section == "default" ? section : named_by(section, "profile");
}

std::string credentials_path(const ChainInputs& inputs) {
  return path_from(inputs, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
}

std::string config_path(const ChainInputs& inputs) {
  return path_from(inputs, "AWS_CONFIG_FILE", "/.aws/config");
}

}  // namespace

std::string Profile::setting(const std::string& key) const {
  if (const auto found_here = credentials.find(key); found_here != credentials.end())
    return found_here->second;
  if (const auto found_here = config.find(key); found_here != config.end()) return found_here->second;
  return "";
}

std::string variable(const ChainInputs& inputs, const std::string& name) {
  const auto found = inputs.environment.find(name);
  return found == inputs.environment.end() ? "" : found->second;
}

std::string profile_name(const ChainInputs& inputs) {
  if (!inputs.profile.empty()) return inputs.profile;
  const auto set = variable(inputs, "AWS_PROFILE");
  return set.empty() ? "default" : set;
}

bool profile_is_named(const ChainInputs& inputs) {
  return !inputs.profile.empty() || !variable(inputs, "AWS_PROFILE").empty();
}

Profile read_profile(const ChainInputs& inputs) {
  Profile profile{.name = profile_name(inputs),
                  .credentials_path = credentials_path(inputs),
                  .config_path = config_path(inputs)};
  if (auto file = read_ini(profile.credentials_path)) {
    const auto section = file->find(profile.name);
    profile.found = section != file->end();
    if (profile.found) profile.credentials = std::move(section->second);
  }
  if (auto file = read_ini(profile.config_path))
    // [default] sorts before [profile default], which therefore wins.
    for (auto& [name, settings] : *file) {
      if (profile_of_section(name) != profile.name) continue;
      profile.found = true;
      for (auto& [key, value] : settings) profile.config[key] = value;
    }
  return profile;
}

std::optional<IniSection> read_sso_session(const ChainInputs& inputs, const std::string& name) {
  const auto file = read_ini(config_path(inputs));
  if (!file) return std::nullopt;
  for (const auto& [section, settings] : *file)
    if (named_by(section, "sso-session") == name) return settings;
  return std::nullopt;
}

std::int64_t whole_number(const std::string& text, std::string_view name, std::int64_t least,
                          std::int64_t most) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && rest == end && number >= least && number <= most) return number;
  throw Error{Kind::refused,
              fmt::format("{} is no whole number from {} to {}", name, least, most),
              {.doing = "load credentials"}};
}

}  // namespace penstock::aws
