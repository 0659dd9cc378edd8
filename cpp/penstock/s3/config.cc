#include "penstock/s3/config.h"

#include <cstdlib>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::s3 {
namespace {

std::string first_set(const char* ours, const char* theirs) {
  for (const char* name : {ours, theirs}) {
    const char* value = std::getenv(name);
    if (value && *value) return value;
  }
  return {};
}

}  // namespace

Config Config::from_env() {
  Config config;
  config.bucket = first_set("PENSTOCK_BUCKET", "S3_BUCKET_NAME");
  config.prefix = first_set("PENSTOCK_PREFIX", "S3_PREFIX");
  if (config.bucket.empty()) {
    throw Error{Kind::refused, "no bucket: set PENSTOCK_BUCKET or S3_BUCKET_NAME"};
  }
  return config;
}

Config Config::from_url(std::string_view s3_url) {
  constexpr std::string_view kScheme = "s3://";
  if (!s3_url.starts_with(kScheme)) {
    throw Error{Kind::refused, "\"" + redact_url(s3_url) + "\" is no s3://bucket/key"};
  }
  s3_url.remove_prefix(kScheme.size());
  const std::size_t slash = s3_url.find('/');
  Config config;
  config.bucket = s3_url.substr(0, slash);
  if (slash != s3_url.npos) config.prefix = s3_url.substr(slash + 1);
  return config;
}

}  // namespace penstock::s3
