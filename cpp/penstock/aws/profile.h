// What the two AWS files say of one profile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "penstock/aws/credentials.h"
#include "penstock/aws/ini.h"

namespace penstock::aws {

struct Profile {
  std::string name;
  std::string credentials_path, config_path;
  IniSection credentials;  // [name] in the credentials file
  IniSection config;       // [profile name], or [default], in the config file
  bool found = false;      // in either

  // From the credentials file, else from the config file; "" if in neither.
  std::string setting(const std::string& key) const;
};

std::string profile_name(const ChainInputs& inputs);                       // argument, AWS_PROFILE, "default"
bool profile_is_named(const ChainInputs& inputs);                          // by argument or AWS_PROFILE
std::string variable(const ChainInputs& inputs, const std::string& name);  // "" if unset

// Reads both files anew. A missing file is an empty one; throws as read_ini does.
Profile read_profile(const ChainInputs& inputs);

// [sso-session NAME] of the config file; nullopt if it is not there.
std::optional<IniSection> read_sso_session(const ChainInputs& inputs, const std::string& name);

// Digits only. Throws Error(refused) naming `name` and the range.
std::int64_t whole_number(const std::string& text, std::string_view name, std::int64_t least,
                          std::int64_t most);

}  // namespace penstock::aws
