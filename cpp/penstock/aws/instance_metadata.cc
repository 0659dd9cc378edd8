#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/key_answer.h"
#include "penstock/aws/key_client.h"
#include "penstock/aws/profile.h"
#include "penstock/aws/providers.h"
#include "penstock/base/redact.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

constexpr const char* kRoles = "/latest/meta-data/iam/security-credentials/";
constexpr std::size_t kMaxNameBytes = 256;

bool is_disabled(const ChainInputs& inputs) {
  auto set = variable(inputs, "AWS_EC2_METADATA_DISABLED");
  std::ranges::transform(set, set.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return set == "true";
}

int number_from(const ChainInputs& inputs, const char* name, int usual) {
  const auto set = variable(inputs, name);
  return set.empty() ? usual : static_cast<int>(whole_number(set, name, 1, 100));
}

std::string origin_for(const ChainInputs& inputs) {
  auto named = variable(inputs, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const auto profile = read_profile(inputs);
  if (named.empty()) named = profile.setting("ec2_metadata_service_endpoint");
  while (named.ends_with('/')) named.pop_back();
  if (!named.empty()) return named;
  auto mode = variable(inputs, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
  if (mode.empty()) mode = profile.setting("ec2_metadata_service_endpoint_mode");
  return mode == "IPv6" || mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

// Version 2 only: without its token a request forged inside the instance could fetch the keys.
class InstanceMetadata : public CredentialProvider {
 public:
  InstanceMetadata(const ChainInputs& inputs, const ProviderParts& parts) : inputs_(inputs), parts_(parts) {}
  std::string name() const override { return "instance metadata"; }
  std::optional<Credentials> load(const Call& call) override {
    if (is_disabled(inputs_)) return std::nullopt;
    const Service service{inputs_, parts_, call};
    const auto role = service.role();
    auto keys = service.keys(role);
    keys.outlive_expiry = true;
    return keys;
  }

 private:
  class Service {
   public:
    Service(const ChainInputs& inputs, const ProviderParts& parts, const Call& call)
        : call_(call),
          origin_(origin_for(inputs)),
          source_(fmt::format("instance metadata ({})", redact_url(origin_))),
          client_(KeyClient::metadata(
              source_, parts.web,
              {.time = std::chrono::seconds{number_from(inputs, "AWS_METADATA_SERVICE_TIMEOUT", 1)},
               .tries = number_from(inputs, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", 2)})),
          token_(token()) {}

    std::string role() const {
      std::string role;
      try {
        role = get("");
      } catch (const Error& error) {
        if (status_of(error) == 404) throw nothing_here("the instance has no role", error);
        throw;
      }
      role = role.substr(0, role.find_first_of("\r\n"));
      if (!role.empty() && role.size() <= kMaxNameBytes) return role;
      throw credentials_error(Kind::denied, source_ + " names no role");
    }

    Credentials keys(const std::string& role) const {
      const auto answer = parse_answer(get(http::percent_encode(role, false)), source_);
      const auto code = text_in(answer, "Code", source_);
      if (!code.empty() && code != "Success")
        throw credentials_error(Kind::denied, fmt::format("{} has no keys for the role: {}", source_,
                                                          redact_text(code, kMaxNameBytes)));
      return keys_in(answer, {}, source_);
    }

   private:
    static int status_of(const Error& error) {
      return error.facts().cause ? error.facts().cause->facts().status : 0;
    }

    std::string get(const std::string& below) const {
      http::Request request{.url = origin_ + kRoles + below};
      request.headers.add("x-aws-ec2-metadata-token", token_);
      request.secret_headers.emplace_back("x-aws-ec2-metadata-token");
      return client_.ask(std::move(request), call_).body;
    }

    std::string token() const {
      http::Request request{.method = "PUT", .url = origin_ + "/latest/api/token"};
      request.headers.add("x-aws-ec2-metadata-token-ttl-seconds", "21600");
      try {
        return client_.ask(std::move(request), call_).body;
      } catch (const Error& error) {
        const bool silent = error.kind() == Kind::lost && status_of(error) == 0;
        if (!silent || call_.stop.stop_requested()) throw;
        throw nothing_here(
            "no answer to the PUT of a token (in a container on an instance: its hop limit of 1 keeps the "
            "answer away, set HttpPutResponseHopLimit to 2; elsewhere: set AWS_EC2_METADATA_DISABLED=true)",
            error);
      }
    }

    Error nothing_here(const char* why, const Error& cause) const {
      auto error = credentials_error(Kind::denied, fmt::format("{}: {}", source_, why));
      error.facts().code = kNoMetadata;
      error.facts().cause = std::make_shared<Error>(cause);
      return error;
    }

    const Call& call_;
    const std::string origin_, source_;
    const KeyClient client_;
    const std::string token_;
  };

  const ChainInputs& inputs_;
  const ProviderParts& parts_;
};

}  // namespace

std::unique_ptr<CredentialProvider> instance_metadata_provider(const ChainInputs& inputs,
                                                               const ProviderParts& parts) {
  return std::make_unique<InstanceMetadata>(inputs, parts);
}

}  // namespace penstock::aws
