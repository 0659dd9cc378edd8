#include "penstock/s3/provider.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::s3 {
namespace {

Capabilities aws() {
  return {.provider = "aws",
          .virtual_host = true,
          .checksum = "crc64nvme",
          .trailers = true,
          .conditional_put = Support::yes,
          .conditional_complete = Support::yes,
          .declares_size = true,
          .expects_continue = true,
          .closes_early = true};
}

Capabilities minio() {
  return {.provider = "minio",
          .checksum = "crc64nvme",
          .conditional_put = Support::yes,
          .conditional_complete = Support::yes};
}

Capabilities versitygw() {
  return {.provider = "versitygw",
          .checksum = "crc64nvme",
          .conditional_put = Support::yes,
          .conditional_complete = Support::yes,
          .upload_id_marker = false};
}

Capabilities r2() {
  return {.provider = "r2",
          .region = "auto",
          .equal_parts = true,
          .checksum = "crc64nvme",
          .conditional_put = Support::yes,
          .metadata_bytes = 8_KiB};
}

Capabilities other() {
  return {.provider = "other"};
}

const std::array<Capabilities, 5>& rows() {
  static const std::array<Capabilities, 5> table{aws(), minio(), versitygw(), r2(), other()};
  return table;
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

std::string_view to_string(Support support) {
  switch (support) {
    case Support::no:
      return "no";
    case Support::yes:
      return "yes";
    case Support::unknown:
      return "unknown";
  }
  return "unknown";
}

const Capabilities& provider_row(std::string_view name) {
  const std::string wanted = lower(name);
  std::string known;
  for (const Capabilities& row : rows()) {
    if (row.provider == wanted) return row;
    known += known.empty() ? row.provider : ", " + row.provider;
  }
  throw Error{Kind::refused,
              "provider \"" + redact_text(name, 64) + "\" is not known; choose one of " + known};
}

const Capabilities* row_by_host(std::string_view host) {
  const std::string name = lower(host);
  if (name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn")) return &provider_row("aws");
  if (name.ends_with(".r2.cloudflarestorage.com")) return &provider_row("r2");
  return nullptr;
}

const Capabilities* row_by_server(std::string_view server) {
  const std::string name = lower(server);
  if (name.starts_with("amazons3")) return &provider_row("aws");
  if (name.starts_with("minio")) return &provider_row("minio");
  if (name.starts_with("versitygw")) return &provider_row("versitygw");
  return nullptr;
}

}  // namespace penstock::s3
