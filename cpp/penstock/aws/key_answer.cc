#include "penstock/aws/key_answer.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "penstock/aws/dates.h"
#include "penstock/aws/service_error.h"
#include "penstock/base/json.h"

namespace penstock::aws {

Error credentials_error(Kind kind, std::string message, std::string subject) {
  return Error{kind, std::move(message), {.doing = "load credentials", .subject = std::move(subject)}};
}

Credentials whole_keys(Credentials keys, std::string_view where) {
  const auto missing = keys.access_key_id.empty() ? "access key id" : "secret access key";
  if (!keys.anonymous && (keys.access_key_id.empty() || keys.secret_access_key.empty()))
    throw credentials_error(Kind::denied, fmt::format("credentials from {} have no {}", where, missing));
  if (keys.source.empty()) keys.source = where;
  return keys;
}

nlohmann::json parse_answer(std::string_view text, const std::string& where) {
  try {
    auto answer = parse_json(text);
    if (answer.is_object()) return answer;
  } catch (const Error&) {
    // What the parser says could place the reader near a secret; that it is no JSON is enough.
  }
  throw credentials_error(Kind::denied, where + " did not give one JSON object");
}

std::string text_in(const nlohmann::json& answer, const char* name, const std::string& where) {
  const auto found = answer.find(name);
  if (found == answer.end() || found->is_null()) return "";
  if (!found->is_string())
    throw credentials_error(Kind::denied, fmt::format("{}: {} is not a string", where, name));
  return found->get<std::string>();
}

Credentials keys_in(const nlohmann::json& answer, const KeyFields& fields, const std::string& where) {
  Credentials keys{.access_key_id = text_in(answer, fields.id, where),
                   .secret_access_key = text_in(answer, fields.secret, where),
                   .session_token = text_in(answer, fields.token, where),
                   .source = where};
  const auto expires = fields.expires ? text_in(answer, fields.expires, where) : "";
  if (!expires.empty()) {
    keys.expires = parse_iso8601(expires);
    if (!keys.expires)
      throw credentials_error(Kind::denied,
                              fmt::format("{}: {} is not an ISO 8601 time", where, fields.expires));
  }
  return whole_keys(std::move(keys), where);
}

Credentials keys_in_xml(std::string_view body, const std::string& action, const std::string& where) {
  pugi::xml_document document;
  const bool whole = !has_too_many_tags(body) && document.load_buffer(body.data(), body.size());
  // <AssumeRoleResponse><AssumeRoleResult><Credentials>, named after the action.
  const auto node =
      document.child((action + "Response").c_str()).child((action + "Result").c_str()).child("Credentials");
  if (!whole || !node)
    throw credentials_error(Kind::denied, where + ": the answer of STS holds no credentials");
  Credentials keys{.access_key_id = node.child_value("AccessKeyId"),
                   .secret_access_key = node.child_value("SecretAccessKey"),
                   .session_token = node.child_value("SessionToken"),
                   .expires = parse_iso8601(node.child_value("Expiration")),
                   .source = where};
  if (!keys.expires)
    throw credentials_error(Kind::denied, where + ": the answer of STS says no time of expiry");
  return whole_keys(std::move(keys), where);
}

}  // namespace penstock::aws
