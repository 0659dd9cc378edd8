// AWS's public vectors, header and query form, all four artefacts of each: tests/vectors/README.md.
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/canonical.h"
#include "penstock/aws/digest.h"
#include "penstock/aws/sign.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

using nlohmann::json;

const json& vectors() {
  static const json all = [] {
    std::ifstream file{PENSTOCK_TEST_VECTORS "/sigv4.json"};
    return json::parse(file);
  }();
  return all;
}

Credentials credentials_of(const json& vector) {
  return {.access_key_id = "AKIDEXAMPLE",
          .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
          .session_token = vector["token"],
          .expires = {},
          .source = "given"};
}

SignInput input_of(const json& vector, const std::string& body) {
  SignInput input{.method = vector["method"],
                  .url = "https://example.amazonaws.com" + vector["target"].get<std::string>(),
                  .headers = {},
                  .body = body,
                  .service = "service",
                  .now = WallTime{std::chrono::seconds{1440938160}},
                  .normalize = vector["normalize"].get<bool>()};
  for (const auto& field : vector["headers"]) input.headers.add(field[0], field[1]);
  return input;
}

// Sorted and decoded: the order of fields in a presigned URL carries no meaning.
std::multimap<std::string, std::string> parsed_query(std::string_view target) {
  std::multimap<std::string, std::string> fields;
  const auto question = target.find('?');
  if (question == std::string_view::npos) return fields;
  for (auto& [name, value] : query_fields(target.substr(question + 1)))
    fields.emplace(http::percent_decode(name), http::percent_decode(value));
  return fields;
}

TEST(SigV4Vectors, there_are_38) {
  EXPECT_EQ(vectors().size(), 38u);
}

TEST(SigV4Vectors, header_form_gives_each_artefact) {
  for (const auto& vector : vectors()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string body = vector["body"];
    auto input = input_of(vector, body);
    if (vector["sign_body"]) input.headers.set("x-amz-content-sha256", hex_sha256(body));
    const auto signed_request = sign(input, credentials_of(vector));
    const auto& want = vector["header"];
    EXPECT_EQ(signed_request.canonical_request, want["canonical_request"].get<std::string>());
    EXPECT_EQ(signed_request.string_to_sign, want["string_to_sign"].get<std::string>());
    EXPECT_EQ(signed_request.signature, want["signature"].get<std::string>());
    EXPECT_EQ(signed_request.headers.get("Authorization"), want["authorization"].get<std::string>());
  }
}

TEST(SigV4Vectors, query_form_gives_each_artefact) {
  for (const auto& vector : vectors()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const std::string body = vector["body"];
    const auto link = presigned(input_of(vector, body), credentials_of(vector), std::chrono::seconds{3600});
    const auto& want = vector["query"];
    EXPECT_EQ(link.canonical_request, want["canonical_request"].get<std::string>());
    EXPECT_EQ(link.string_to_sign, want["string_to_sign"].get<std::string>());
    EXPECT_EQ(link.signature, want["signature"].get<std::string>());
    EXPECT_EQ(parsed_query(link.url), parsed_query(want["target"].get<std::string>()));
  }
}

}  // namespace
}  // namespace penstock::aws
