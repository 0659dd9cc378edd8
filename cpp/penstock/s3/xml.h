// S3's XML answers read whole, and the two bodies we send.
//
// Every reader throws Error(corrupt) on what is not that document. White-space-only keys are kept. Keys are
// url-decoded only where the answer says (EncodingType) that they are encoded: some servers ignore the wish.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/call.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {

struct ListedObject {
  std::string key, etag, storage_class;
  std::uint64_t bytes = 0;
  std::optional<WallTime> last_modified;
};

struct ObjectPage {
  std::vector<ListedObject> objects = {};
  std::vector<std::string> prefixes = {};  // what a delimiter rolled up
  bool truncated = false;
  std::string next_token = {};   // v2
  std::string next_marker = {};  // v1, and there only with a delimiter
};

// In base64; "" if the server keeps none.
struct KeptChecksums {
  std::string crc64nvme = {}, crc32c = {}, crc32 = {};
  const std::string& of(Algorithm algorithm) const;  // "" also of an algorithm that is none of these
};

struct ListedPart {
  int number = 0;
  std::uint64_t bytes = 0;
  std::string etag = {};
  KeptChecksums checksums = {};
};

struct PartPage {
  std::vector<ListedPart> parts = {};
  bool truncated = false;
  int next_marker = 0;
  std::string checksum_algorithm = {}, checksum_type = {};  // as CreateMultipartUpload said: CRC32, COMPOSITE
};

struct ListedUpload {
  std::string key, upload_id;
  std::optional<WallTime> initiated;
};

struct UploadPage {
  std::vector<ListedUpload> uploads = {};
  bool truncated = false;
  std::string next_key = {}, next_upload_id = {};
};

struct CompleteResult {
  std::string etag, checksum_type;
  KeptChecksums checksums;
};

struct DeleteFailure {
  std::string key, code, message;
};

// Of CopyObject and of UploadPartCopy.
struct CopyResult {
  std::string etag;
};

ObjectPage parse_objects(std::string_view xml);
PartPage parse_parts(std::string_view xml);
UploadPage parse_uploads(std::string_view xml);
std::string parse_upload_id(std::string_view xml);
CompleteResult parse_complete(std::string_view xml);
std::vector<DeleteFailure> parse_delete(std::string_view xml);
CopyResult parse_copy(std::string_view xml);
std::map<std::string, std::string> parse_tags(std::string_view xml);

// aws::parse_iso8601: "2026-11-21T14:48:00.000Z", the fraction left out; nullopt for anything else.
std::optional<WallTime> parse_iso_time(std::string_view text);

struct CompletedPart {
  int number = 0;
  std::string etag;
  std::string checksum = {};  // base64; "": none
};
// `checksum_element`, "ChecksumCRC64NVME", names the parts' checksums. MinIO and versitygw ask for them also
// where the whole object's is declared.
std::string complete_body(std::span<const CompletedPart> parts, std::string_view checksum_element = {});

// Whether XML 1.0 can carry `key` at all: CR, LF and TAB as character references, other controls not.
bool xml_can_carry(std::string_view key);
std::string delete_body(std::span<const std::string> keys);

}  // namespace penstock::s3
