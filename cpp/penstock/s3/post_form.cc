#include "penstock/s3/post_form.h"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/aws/sign.h"
#include "penstock/base/base64.h"
#include "penstock/s3/customer_key.h"

namespace penstock::s3 {
namespace {

using Json = nlohmann::json;

// "2026-11-21T14:48:00Z"
std::string iso_time(WallTime at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void check_options(const PostOptions& options) {
  if (options.min_bytes > options.max_bytes) {
    throw Error{Kind::refused, "min_bytes is more than max_bytes, so nothing could be posted"};
  }
  constexpr std::array kOurs{"key",
                             "file",
                             "policy",
                             "bucket",
                             "content-type",
                             "x-amz-algorithm",
                             "x-amz-credential",
                             "x-amz-date",
                             "x-amz-security-token",
                             "x-amz-signature"};
  for (const auto& [name, value] : options.fields) {
    http::check_header(name, value);
    const bool ours =
        std::ranges::any_of(kOurs, [&name = name](const char* own) { return http::same_name(name, own); });
    if (ours) throw Error{Kind::refused, "the field \"" + name + "\" is not for fields=: the form has it"};
  }
}

// A browser would be shown the key; without it the object would lie there under none.
void check_customer_key(const Client& client, const PostOptions& options) {
  http::Headers fields;
  for (const auto& [name, value] : options.fields) fields.add(name, value);
  if (client.customer_key().empty() || carries_customer_key(fields)) return;
  throw Error{
      Kind::refused,
      "a form would show the store's sse_customer_key to whoever gets it: presign a PUT, give the key's "
      "three headers as fields=, or use a store without it",
      {.side = Side::sink, .doing = "presign post"}};
}

}  // namespace

PostForm presign_post(const Client& client, const std::string& key, const PostOptions& options,
                      const Call& call) {
  check_options(options);
  check_customer_key(client, options);
  const Address at = client.address();
  aws::SignInput input;
  input.url = at.bucket_url();
  input.region = at.region;
  input.now = client.server_now();
  const aws::PostFields signing = aws::post_fields(input, client.credentials(call), options.expires);

  const bool is_prefix = key.ends_with('/');
  PostForm form{.url = at.bucket_url(), .fields = {{"key", is_prefix ? key + "${filename}" : key}}};
  if (!options.content_type.empty()) form.fields.emplace_back("Content-Type", options.content_type);
  form.fields.insert(form.fields.end(), options.fields.begin(), options.fields.end());
  form.fields.insert(form.fields.end(), signing.fields.begin(), signing.fields.end());

  Json conditions = Json::array({{{"bucket", at.bucket}}});
  conditions.push_back(Json::array({"content-length-range", options.min_bytes, options.max_bytes}));
  for (const auto& [name, value] : form.fields) {
    if (name == "key" && is_prefix) {
      conditions.push_back(Json::array({"starts-with", "$key", key}));
    } else {
      conditions.push_back(Json::array({"eq", "$" + name, value}));
    }
  }
  const Json policy{{"expiration", iso_time(input.now + options.expires)}, {"conditions", conditions}};
  const std::string encoded = encode_base64(policy.dump());
  form.fields.emplace_back("policy", encoded);
  form.fields.emplace_back("x-amz-signature", signing.sign(encoded));
  return form;
}

}  // namespace penstock::s3
