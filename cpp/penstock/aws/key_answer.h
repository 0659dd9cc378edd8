// Answers that hold keys: JSON of a process, a container, the instance metadata, single sign-on; XML of STS.
//
// Failure: Error(denied) that says what is wrong with the answer and quotes nothing of it.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "penstock/aws/credentials.h"

namespace penstock::aws {

// What the fields are called; `expires` may be null: then it is read by whoever knows its form.
struct KeyFields {
  const char* id = "AccessKeyId";
  const char* secret = "SecretAccessKey";
  const char* token = "Token";
  const char* expires = "Expiration";
};

// One JSON object and nothing behind it. `where` begins the messages: "credential_process of profile dev".
nlohmann::json parse_answer(std::string_view text, const std::string& where);

// "" if it is not there or null; denied if it is no text.
std::string text_in(const nlohmann::json& answer, const char* name, const std::string& where);

// Key and secret must be there; `where` becomes their source.
Credentials keys_in(const nlohmann::json& answer, const KeyFields& fields, const std::string& where);

// The same of what STS answers to `action`; an expiry must be there too.
Credentials keys_in_xml(std::string_view body, const std::string& action, const std::string& where);

// `keys` if they are whole (or anonymous), with `where` as their source if they have none.
Credentials whole_keys(Credentials keys, std::string_view where);

// The errors of this room's providers.
Error credentials_error(Kind kind, std::string message, std::string subject = {});

}  // namespace penstock::aws
