#include "penstock/aws/sts.h"

#include <fmt/format.h>

#include "penstock/aws/key_answer.h"
#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

std::string form(const StsRequest& request) {
  auto text = fmt::format("Action={}&Version=2011-06-15", request.action);
  for (const auto& [name, value] : request.fields)
    if (!value.empty()) text += fmt::format("&{}={}", name, http::percent_encode(value, false));
  return text;
}

// Regions that are no place: the global endpoint's own name, and what a store without regions is told.
std::string region_of(const ChainInputs& root) {
  auto region = region_for(root);
  return region == "aws-global" || region == "auto" ? "us-east-1" : region;
}

}  // namespace

Credentials ask_sts(const StsRequest& request, const ChainInputs& root, const http::ClientOptions& web,
                    const Call& call) {
  const auto region = region_of(root);
  http::Request sent{.method = "POST", .url = key_service_url(root, "sts", "sts", region) + "/"};
  sent.headers.add("content-type", "application/x-www-form-urlencoded; charset=utf-8");
  sent.body = http::text_payload(form(request));
  const auto client = KeyClient::service(request.source, web);
  const auto answer =
      client.ask(std::move(sent), call, {.secrets = request.secrets, .keys = request.keys, .region = region});
  auto keys = keys_in_xml(answer.body, request.action, request.source);
  keys.expires = answer.ours(*keys.expires);
  return keys;
}

std::string usual_session_name(const http::ClientOptions& web) {
  const auto clock = web.clock ? web.clock : Clock::system();
  return fmt::format(
      "penstock-{}",
      std::chrono::duration_cast<std::chrono::seconds>(clock->wall().time_since_epoch()).count());
}

}  // namespace penstock::aws
