#include "penstock/s3/verbs.h"

#include <array>

#include "penstock/base/error.h"
#include "penstock/s3/customer_key.h"
#include "penstock/streams/hash.h"

namespace penstock::s3 {
namespace {

http::Request request(const char* method, std::string url) {
  http::Request made;
  made.method = method;
  made.url = std::move(url);
  return made;
}

Query upload_query(const UploadName& upload) {
  return {{"uploadId", upload.upload_id}};
}

Query version_query(std::string_view version_id) {
  if (version_id.empty()) return {};
  return {{"versionId", std::string{version_id}}};
}

http::Request read_request(const char* method, const Address& at, std::string_view key,
                           const store::ReadOptions& options) {
  http::Request made = request(method, at.object_url(key, version_query(options.version_id)));
  made.headers.add("x-amz-checksum-mode", "ENABLED");
  if (options.range) made.headers.add("range", range_header(*options.range));
  if (!options.if_match.empty()) made.headers.add("if-match", options.if_match);
  add_headers(made.headers, customer_key_headers(options.sse_customer_key));
  return made;
}

Query list_query(const ListQuery& query) {
  Query fields{{"max-keys", "1000"}, {"prefix", query.prefix}};
  if (!query.raw_keys) fields.emplace_back("encoding-type", "url");
  if (!query.delimiter.empty()) fields.emplace_back("delimiter", query.delimiter);
  return fields;
}

void add_source(http::Headers& headers, const CopySource& source) {
  std::string name = "/" + source.bucket + "/" + http::percent_encode(source.key, true);
  if (!source.version_id.empty()) name += "?versionId=" + http::percent_encode(source.version_id, false);
  headers.add("x-amz-copy-source", std::move(name));
  if (!source.etag.empty()) headers.add("x-amz-copy-source-if-match", source.etag);
  add_headers(headers, customer_key_headers(source.sse_customer_key, KeyOf::copy_source));
}

http::Request with_xml(http::Request made, std::string body) {
  made.headers.add("content-type", "application/xml");
  made.body = http::text_payload(std::move(body));
  return made;
}

}  // namespace

http::Request head_bucket(const Address& at) {
  return request("HEAD", at.bucket_url());
}

http::Request head_object(const Address& at, std::string_view key, const store::ReadOptions& options) {
  return read_request("HEAD", at, key, options);
}

http::Request get_object(const Address& at, std::string_view key, const store::ReadOptions& options) {
  return read_request("GET", at, key, options);
}

http::Request put_object(const Address& at, std::string_view key, http::Headers headers, PayloadPtr body) {
  http::Request made = request("PUT", at.object_url(key));
  made.headers = std::move(headers);
  made.body = std::move(body);
  return made;
}

void add_content_md5(http::Headers& headers, const http::Payload& body) {
  Hasher md5{Algorithm::md5};
  std::array<std::byte, 16 * 1024> buffer;
  for (std::uint64_t at = 0; at < body.size();) {
    const std::size_t count = body.read_at(at, buffer);
    md5.update(Bytes{buffer}.first(count));
    at += count;
  }
  headers.add("content-md5", md5.digest().base64());
}

http::Request delete_object(const Address& at, std::string_view key, std::string_view if_match) {
  http::Request made = request("DELETE", at.object_url(key));
  if (!if_match.empty()) made.headers.add("if-match", std::string{if_match});
  return made;
}

http::Request delete_objects(const Address& at, std::span<const std::string> keys) {
  std::string body = delete_body(keys);
  Hasher md5{Algorithm::md5};
  md5.update(as_bytes(body));
  http::Request made = request("POST", at.bucket_url({{"delete", ""}}));
  made.headers.add("content-md5", md5.digest().base64());
  return with_xml(std::move(made), std::move(body));
}

http::Request list_objects_v2(const Address& at, const ListQuery& query) {
  Query fields = list_query(query);
  fields.emplace_back("list-type", "2");
  if (!query.token.empty()) {
    fields.emplace_back("continuation-token", query.token);
  } else if (!query.start_after.empty()) {
    fields.emplace_back("start-after", query.start_after);
  }
  return request("GET", at.bucket_url(fields));
}

http::Request list_objects_v1(const Address& at, const ListQuery& query, std::string_view marker) {
  Query fields = list_query(query);
  fields.emplace_back("marker", std::string{marker});
  return request("GET", at.bucket_url(fields));
}

http::Request create_upload(const Address& at, std::string_view key, http::Headers headers) {
  http::Request made = request("POST", at.object_url(key, {{"uploads", ""}}));
  made.headers = std::move(headers);
  return made;
}

http::Request upload_part(const Address& at, const UploadName& upload, int number, http::Headers headers,
                          PayloadPtr body) {
  Query query = upload_query(upload);
  query.emplace_back("partNumber", std::to_string(number));
  http::Request made = request("PUT", at.object_url(upload.key, query));
  made.headers = std::move(headers);
  made.body = std::move(body);
  return made;
}

http::Request complete_upload(const Address& at, const UploadName& upload,
                              std::span<const CompletedPart> parts, std::string_view checksum_element,
                              http::Headers headers) {
  http::Request made = request("POST", at.object_url(upload.key, upload_query(upload)));
  made.headers = std::move(headers);
  return with_xml(std::move(made), complete_body(parts, checksum_element));
}

http::Request abort_upload(const Address& at, const UploadName& upload) {
  return request("DELETE", at.object_url(upload.key, upload_query(upload)));
}

http::Request list_parts(const Address& at, const UploadName& upload, int after) {
  Query query = upload_query(upload);
  query.emplace_back("max-parts", "1000");
  if (after > 0) query.emplace_back("part-number-marker", std::to_string(after));
  return request("GET", at.object_url(upload.key, query));
}

http::Request list_uploads(const Address& at, std::string_view prefix, const UploadPage& after) {
  Query query{{"uploads", ""}, {"prefix", std::string{prefix}}, {"max-uploads", "1000"}};
  // Uploads of one key may fill a page: only the pair of markers gets past it.
  if (!after.next_key.empty()) query.emplace_back("key-marker", after.next_key);
  if (!after.next_upload_id.empty()) query.emplace_back("upload-id-marker", after.next_upload_id);
  return request("GET", at.bucket_url(query));
}

http::Request copy_object(const Address& at, std::string_view key, const CopySource& source,
                          http::Headers headers) {
  http::Request made = request("PUT", at.object_url(key));
  made.headers = std::move(headers);
  add_source(made.headers, source);
  made.body = http::text_payload("");
  return made;
}

http::Request copy_part(const Address& at, const UploadName& upload, int number, const CopySource& source,
                        const std::optional<store::Range>& range, http::Headers headers) {
  http::Request made = upload_part(at, upload, number, std::move(headers), http::text_payload(""));
  add_source(made.headers, source);
  if (range) made.headers.add("x-amz-copy-source-range", range_header(*range));
  return made;
}

http::Request get_tagging(const Address& at, std::string_view key, std::string_view version_id) {
  Query query = version_query(version_id);
  query.emplace_back("tagging", "");
  return request("GET", at.object_url(key, query));
}

std::string range_header(const store::Range& range) {
  const bool last_bytes = range.suffix && *range.suffix > 0 && !range.first && !range.last;
  if (last_bytes) return "bytes=-" + std::to_string(*range.suffix);
  const bool forward = !range.last || (range.first && *range.first <= *range.last);
  if (range.suffix || !range.first || !forward) {
    throw Error{Kind::refused,
                "a range is first and last (first <= last), or first alone, or a suffix of at least 1",
                {.code = "range"}};
  }
  return "bytes=" + std::to_string(*range.first) + "-" + (range.last ? std::to_string(*range.last) : "");
}

}  // namespace penstock::s3
