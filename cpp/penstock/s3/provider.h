// What an S3 service can do: one table, a row a provider, found by host or by the Server header.
//
// Sources: the providers' own documentation, and versitygw 1.8.0 and MinIO (February 2026) as tested.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/base/units.h"

namespace penstock::s3 {

enum class Support { no, yes, unknown };

std::string_view to_string(Support support);

// A row of the table, as S3Store::capabilities() shows it.
struct Capabilities {
  std::string provider = {};
  bool virtual_host = false;  // bucket.host instead of host/bucket
  std::string region = {};    // what to sign for where the caller names none; "": us-east-1
  std::uint64_t min_part_bytes = 5_MiB;
  std::uint64_t max_part_bytes = 5_GiB;
  int max_parts = 10'000;
  bool equal_parts = false;   // all parts of one size, the last not larger
  std::string checksum = {};  // the full-object checksum this row takes with a write; "": none
  bool content_md5 = false;   // it checks Content-MD5 instead of those
  bool trailers = false;      // a part may carry that checksum after its last byte
  Support conditional_put = Support::unknown;
  Support conditional_complete = Support::unknown;
  bool declares_size = false;     // Complete carries x-amz-mp-object-size
  bool expects_continue = false;  // large bodies wait for 100-continue
  bool closes_early = false;      // idle connections live about 5 s
  bool multipart_copy = true;     // UploadPartCopy
  bool single_deletes = false;    // DeleteObjects is not to be relied on
  bool lists_v1 = false;          // ListObjects, the first
  bool raw_keys = false;          // encoding-type is not asked for
  bool https_only = false;
  std::uint64_t default_part_bytes = 0;  // where the caller and the store name less
  bool upload_id_marker = true;          // ListMultipartUploads takes it beside the key marker
  std::uint64_t metadata_bytes = 2_KiB;  // user metadata, names and values
};

// By name, "other" for those that are none of them. Throws Error(refused) naming all.
const Capabilities& provider_row(std::string_view name);

// The region that a host of `row` names: "s3.eu-central-003.backblazeb2.com"; "" if none.
std::string region_in_host(const Capabilities& row, std::string_view host);

// nullptr: this host, or this Server header, says nothing.
const Capabilities* row_by_host(std::string_view host);
const Capabilities* row_by_server(std::string_view server);

}  // namespace penstock::s3
