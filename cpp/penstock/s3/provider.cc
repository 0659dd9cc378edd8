#include "penstock/s3/provider.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

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

// What its documentation says of conditions on writes is not S3's, so none is sent.
Capabilities gcs() {
  return {.provider = "gcs",
          .region = "auto",
          .content_md5 = true,
          .conditional_complete = Support::no,
          .multipart_copy = false};
}

Capabilities b2() {
  return {.provider = "b2",
          .min_part_bytes = 5'000'000,
          .conditional_put = Support::no,
          .conditional_complete = Support::no,
          .https_only = true};
}

Capabilities ceph() {
  return {.provider = "ceph", .lists_v1 = true, .raw_keys = true};
}

Capabilities wasabi() {
  return {.provider = "wasabi", .virtual_host = true};
}

Capabilities spaces() {
  return {.provider = "spaces", .virtual_host = true, .raw_keys = true};
}

Capabilities scaleway() {
  return {.provider = "scaleway", .virtual_host = true, .max_parts = 1'000};
}

Capabilities storj() {
  return {.provider = "storj", .virtual_host = true, .multipart_copy = false, .default_part_bytes = 64_MiB};
}

Capabilities oss() {
  return {.provider = "oss",
          .virtual_host = true,
          .conditional_put = Support::no,
          .conditional_complete = Support::no,
          .single_deletes = true};
}

Capabilities ibm() {
  return {.provider = "ibm", .lists_v1 = true, .raw_keys = true};
}

Capabilities seaweedfs() {
  return {.provider = "seaweedfs", .lists_v1 = true, .raw_keys = true};
}

Capabilities huawei() {
  return {.provider = "huawei", .virtual_host = true, .lists_v1 = true, .raw_keys = true};
}

Capabilities tencent() {
  return {.provider = "tencent", .virtual_host = true, .lists_v1 = true, .raw_keys = true};
}

Capabilities other() {
  return {.provider = "other"};
}

// Never freed: an abort under way at exit still asks its row.
const std::vector<Capabilities>& rows() {
  static const auto& table = *new std::vector<Capabilities>{
      aws(),      minio(), versitygw(), r2(),  gcs(),       b2(),     ceph(),    wasabi(), spaces(),
      scaleway(), storj(), oss(),       ibm(), seaweedfs(), huawei(), tencent(), other()};
  return table;
}

// How a host or a Server header shows whose it is.
struct Mark {
  std::string_view text, provider;
};

constexpr std::array<Mark, 13> kHosts{{{".amazonaws.com", "aws"},
                                       {".amazonaws.com.cn", "aws"},
                                       {".r2.cloudflarestorage.com", "r2"},
                                       {"storage.googleapis.com", "gcs"},
                                       {".backblazeb2.com", "b2"},
                                       {".wasabisys.com", "wasabi"},
                                       {".digitaloceanspaces.com", "spaces"},
                                       {".scw.cloud", "scaleway"},
                                       {".storjshare.io", "storj"},
                                       {".aliyuncs.com", "oss"},
                                       {".cloud-object-storage.appdomain.cloud", "ibm"},
                                       {".myhuaweicloud.com", "huawei"},
                                       {".myqcloud.com", "tencent"}}};

constexpr std::array<Mark, 5> kServers{{{"amazons3", "aws"},
                                        {"minio", "minio"},
                                        {"versitygw", "versitygw"},
                                        {"ceph", "ceph"},
                                        {"seaweedfs", "seaweedfs"}}};

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

std::string region_in_host(const Capabilities& row, std::string_view host) {
  const std::string name = lower(host);
  for (const Mark& mark : kHosts) {
    if (mark.provider != row.provider || !name.ends_with(mark.text)) continue;
    const std::string_view rest = std::string_view{name}.substr(0, name.size() - mark.text.size());
    // "s3.us-west-004", "nyc3": the label before the provider's own name.
    const std::string_view label = rest.substr(rest.find_last_of('.') + 1);
    const bool names_one = row.provider == "b2" || row.provider == "wasabi" || row.provider == "spaces" ||
                           row.provider == "scaleway";
    return names_one && label != "s3" ? std::string{label} : std::string{};
  }
  return {};
}

const Capabilities* row_by_host(std::string_view host) {
  const std::string name = lower(host);
  for (const Mark& mark : kHosts) {
    const bool whole = mark.text.front() != '.' && name == mark.text;
    const bool below = name.size() > mark.text.size() && name.ends_with(mark.text) &&
                       (mark.text.front() == '.' || name[name.size() - mark.text.size() - 1] == '.');
    if (whole || below) return &provider_row(mark.provider);
  }
  return nullptr;
}

const Capabilities* row_by_server(std::string_view server) {
  const std::string name = lower(server);
  for (const Mark& mark : kServers) {
    if (name.starts_with(mark.text)) return &provider_row(mark.provider);
  }
  return nullptr;
}

}  // namespace penstock::s3
