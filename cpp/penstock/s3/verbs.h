// S3's requests, one function a verb: pure, nothing is sent here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "penstock/http/request.h"
#include "penstock/s3/address.h"
#include "penstock/s3/xml.h"
#include "penstock/store/object.h"

namespace penstock::s3 {

using PayloadPtr = std::shared_ptr<const http::Payload>;

http::Request head_bucket(const Address& at);
// `options` without a range.
http::Request head_object(const Address& at, std::string_view key, const store::ReadOptions& options = {});
http::Request get_object(const Address& at, std::string_view key, const store::ReadOptions& options);
http::Request put_object(const Address& at, std::string_view key, http::Headers headers, PayloadPtr body);
// Content-MD5 for services that compare nothing else. Reads all of `body`.
void add_content_md5(http::Headers& headers, const http::Payload& body);
http::Request delete_object(const Address& at, std::string_view key, std::string_view if_match);
http::Request delete_objects(const Address& at, std::span<const std::string> keys);  // with Content-MD5

struct ListQuery {
  std::string prefix, start_after, token;
  std::string delimiter = {};
  bool raw_keys = false;  // not url-encoded
};
http::Request list_objects_v2(const Address& at, const ListQuery& query);
http::Request list_objects_v1(const Address& at, const ListQuery& query, std::string_view marker);

struct UploadName {
  std::string key, upload_id;
};
http::Request create_upload(const Address& at, std::string_view key, http::Headers headers);
http::Request upload_part(const Address& at, const UploadName& upload, int number, http::Headers headers,
                          PayloadPtr body);
http::Request complete_upload(const Address& at, const UploadName& upload,
                              std::span<const CompletedPart> parts, std::string_view checksum_element,
                              http::Headers headers);
http::Request abort_upload(const Address& at, const UploadName& upload);
http::Request list_parts(const Address& at, const UploadName& upload, int after);
http::Request list_uploads(const Address& at, std::string_view prefix, const UploadPage& after);

// What a server-side copy reads.
struct CopySource {
  std::string bucket = {}, key = {};  // whole
  std::string version_id = {};
  std::string etag = {};  // another one there is a 412
  std::string sse_customer_key = {};
};
// An answer of 200 may hold an error.
http::Request copy_object(const Address& at, std::string_view key, const CopySource& source,
                          http::Headers headers);
// Without a range: all of the source.
http::Request copy_part(const Address& at, const UploadName& upload, int number, const CopySource& source,
                        const std::optional<store::Range>& range, http::Headers headers);
http::Request get_tagging(const Address& at, std::string_view key, std::string_view version_id);

// "bytes=0-99", "bytes=100-", "bytes=-5". Throws Error(refused) on a range that is none.
std::string range_header(const store::Range& range);

}  // namespace penstock::s3
