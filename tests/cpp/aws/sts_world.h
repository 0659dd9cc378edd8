// A Security Token Service on loopback, which the environment names, and what it was asked.
#pragma once

#include <map>
#include <string>

#include "penstock/http/url.h"

#include "aws/chain_world.h"
#include "support/scripted_server.h"

namespace penstock::aws {

inline std::string sts_answer(const std::string& action, const std::string& id) {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result><AssumedRoleUser><Arn>arn:x</Arn></AssumedRoleUser><Credentials><AccessKeyId>" + id +
         "</AccessKeyId><SecretAccessKey>canary-" + id + "</SecretAccessKey><SessionToken>canary-token-" +
         id + "</SessionToken><Expiration>2030-01-02T03:04:05Z</Expiration></Credentials></" + action +
         "Result></" + action + "Response>";
}

inline std::string sts_error(const std::string& code, const std::string& message) {
  return "<ErrorResponse "
         "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>" +
         code + "</Code><Message>" + message + "</Message></Error><RequestId>r-1</RequestId></ErrorResponse>";
}

struct StsWorld : ChainWorld {
  test::ScriptedServer server;

  StsWorld() { set("AWS_ENDPOINT_URL_STS", server.origin()); }
  void answers(std::vector<test::Script> scripts) { server.on("/", std::move(scripts)); }
  void gives(const std::string& action, std::initializer_list<const char*> ids) {
    std::vector<test::Script> scripts;
    for (const auto* id : ids) scripts.push_back(test::respond(200, {}, sts_answer(action, id)));
    answers(std::move(scripts));
  }
  // The form of the request, percent-decoded.
  std::map<std::string, std::string> asked(std::size_t number = 0) const {
    std::map<std::string, std::string> fields;
    std::string rest = server.requests("/").at(number).body;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('&'), rest.size());
      const auto field = rest.substr(0, end);
      const auto sign = field.find('=');
      fields[field.substr(0, sign)] = http::percent_decode(field.substr(sign + 1));
      rest.erase(0, end + 1);
    }
    return fields;
  }
};

}  // namespace penstock::aws
