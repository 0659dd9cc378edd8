// A bucket on a ScriptedServer: does what S3 does with one bucket, until a test says otherwise.
//
//   ScriptedBucket bucket;
//   // nothing happens, this is said
//   bucket.instead = [](const Asked& asked) -> std::optional<Reply> {
//     if (asked.verb == "UploadPart" && asked.part == 3) return Reply{403, {}, error_xml("AccessDenied")};
//     return std::nullopt; };
//   // it happens, but this is said
//   bucket.afterwards = ...
//
// Threads: the hooks run on the server's threads, one at a time, and are set before the first request.
// Memory:  bodies as the server keeps them (1 MiB); sizes are exact.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "penstock/http/client.h"
#include "penstock/http/url.h"
#include "penstock/s3/config.h"

#include "support/quick_client.h"
#include "support/scripted_server.h"

namespace penstock::test {

struct Asked {
  std::string verb, key, upload_id;
  int part = 0;
  int nth = 0;  // of this verb, from 1
  std::map<std::string, std::string> query;
  SeenRequest request;
};

struct Reply {
  int status = 200;
  Fields fields = {};
  std::string body = {};
  bool reset = false;  // no answer at all
};

inline std::string error_xml(const std::string& code, const std::string& more = {}) {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>said by a script</Message>" + more +
         "</Error>";
}

class ScriptedBucket {
 public:
  struct Object {
    std::string body;
    std::uint64_t bytes = 0;
    std::string etag;
    Fields fields;
  };
  struct Upload {
    std::string key;
    Fields fields;
    std::map<int, std::pair<std::string, std::uint64_t>> parts;  // etag, bytes
  };

  ScriptedBucket() {
    server_.otherwise(script()
                          .run([this](Exchange& exchange) {
                            if (early) early(exchange);
                          })
                          .read_body()
                          .run([this](Exchange& exchange) { answer(exchange); }));
  }

  std::function<std::optional<Reply>(const Asked&)> instead;
  std::function<void(Exchange&)> early;  // before the body is read; not one at a time
  std::function<std::optional<Reply>(const Asked&, const Reply&)> afterwards;

  s3::Config config(std::shared_ptr<http::Client> client, const std::string& provider = "minio") const {
    s3::Config config;
    config.bucket = "bucket";
    config.endpoint = server_.origin();
    config.provider = provider;
    config.part_bytes = 5_MiB;
    config.client = std::move(client);
    aws::ChainInputs inputs;
    inputs.given = aws::Credentials{.access_key_id = "testkey", .secret_access_key = "testsecret123"};
    config.credentials = inputs;
    return config;
  }

  ScriptedServer& server() { return server_; }
  std::map<std::string, Object> objects() const {
    const std::lock_guard lock{mutex_};
    return objects_;
  }
  std::map<std::string, Upload> uploads() const {
    const std::lock_guard lock{mutex_};
    return uploads_;
  }
  std::vector<Asked> asked(const std::string& verb) const {
    const std::lock_guard lock{mutex_};
    std::vector<Asked> found;
    for (const Asked& one : asked_) {
      if (one.verb == verb) found.push_back(one);
    }
    return found;
  }
  void forget_asked() {
    const std::lock_guard lock{mutex_};
    asked_.clear();
  }
  void put(const std::string& key, Object object) {
    const std::lock_guard lock{mutex_};
    objects_[key] = std::move(object);
  }
  void open_upload(const std::string& id, Upload upload) {
    const std::lock_guard lock{mutex_};
    uploads_[id] = std::move(upload);
  }

 private:
  static std::map<std::string, std::string> parse_query(const std::string& text) {
    std::map<std::string, std::string> query;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find('&', at), text.size());
      const std::string field = text.substr(at, end - at);
      const std::size_t sign = std::min(field.find('='), field.size());
      query[http::percent_decode(field.substr(0, sign))] =
          sign < field.size() ? http::percent_decode(field.substr(sign + 1)) : "";
      at = end + 1;
    }
    return query;
  }

  static std::string verb_of(const Asked& asked) {
    const std::string& method = asked.request.method;
    const auto has = [&](const char* name) { return asked.query.contains(name); };
    if (asked.key.empty()) {
      if (method == "HEAD") return "HeadBucket";
      if (method == "POST") return "DeleteObjects";
      return has("uploads") ? "ListMultipartUploads" : "ListObjects";
    }
    if (method == "POST") return has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
    if (method == "PUT") return has("partNumber") ? "UploadPart" : "PutObject";
    if (method == "DELETE") return has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    if (method == "GET") return has("uploadId") ? "ListParts" : "GetObject";
    return "HeadObject";
  }

  Asked read(const SeenRequest& request) {
    Asked asked;
    asked.request = request;
    const std::string& target = request.target;
    const std::size_t mark = std::min(target.find('?'), target.size());
    const std::string path = http::percent_decode(target.substr(0, mark));
    asked.key = path.size() > 8 ? path.substr(8) : "";  // "/bucket/"
    if (mark < target.size()) asked.query = parse_query(target.substr(mark + 1));
    asked.upload_id = asked.query["uploadId"];
    if (asked.upload_id.empty()) asked.query.erase("uploadId");
    if (asked.query.contains("partNumber")) asked.part = std::stoi(asked.query["partNumber"]);
    asked.verb = verb_of(asked);
    asked.nth = ++counts_[asked.verb];
    return asked;
  }

  void answer(Exchange& exchange) {
    Reply reply;
    {
      const std::lock_guard lock{mutex_};
      const Asked asked = read(exchange.request());
      asked_.push_back(asked);
      asked_.back().request.body.clear();
      std::optional<Reply> said = instead ? instead(asked) : std::nullopt;
      reply = said ? *said : perform(asked);
      if (!said && afterwards) {
        if (auto other = afterwards(asked, reply)) reply = *other;
      }
    }
    if (reply.reset) return exchange.reset();
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Said\r\n";
    bool sized = reply.status == 204;
    for (const auto& [name, value] : reply.fields) {
      head += name + ": " + value + "\r\n";
      sized = sized || name == "Content-Length";
    }
    if (!sized) head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    const bool bodyless = exchange.request().method == "HEAD" || reply.status == 204;
    exchange.send(head + "\r\n" + (bodyless ? "" : reply.body));
  }

  static Fields kept_fields(const SeenRequest& request) {
    Fields kept;
    for (const auto& [name, value] : request.headers) {
      if (name.starts_with("x-amz-meta-") || name == "content-type") kept.emplace_back(name, value);
    }
    return kept;
  }

  bool condition_fails(const Asked& asked) const {
    const auto found = objects_.find(asked.key);
    if (asked.request.headers.get("if-none-match") == "*") return found != objects_.end();
    const std::string_view match = asked.request.headers.get("if-match");
    return !match.empty() && (found == objects_.end() || found->second.etag != match);
  }

  std::string new_etag() { return "\"etag-" + std::to_string(++numbers_) + "\""; }

  Reply perform(const Asked& asked) {
    const auto& request = asked.request;
    if (asked.verb == "HeadBucket") return {};
    if (asked.verb == "PutObject") {
      if (condition_fails(asked)) return {412, {}, error_xml("PreconditionFailed")};
      objects_[asked.key] = {request.body, request.body_bytes, new_etag(), kept_fields(request)};
      return {200, {{"ETag", objects_[asked.key].etag}}};
    }
    if (asked.verb == "HeadObject" || asked.verb == "GetObject") return read_object(asked);
    if (asked.verb == "DeleteObject") {
      objects_.erase(asked.key);
      return {204};
    }
    if (asked.verb == "CreateMultipartUpload") {
      const std::string id = "upload-" + std::to_string(++numbers_);
      uploads_[id] = {asked.key, kept_fields(request), {}};
      return {
          200,
          {},
          "<InitiateMultipartUploadResult><UploadId>" + id + "</UploadId></InitiateMultipartUploadResult>"};
    }
    if (asked.verb == "ListMultipartUploads") return list_uploads(asked);
    if (asked.verb == "DeleteObjects") return {200, {}, "<DeleteResult/>"};
    if (asked.verb == "ListObjects") {
      return {200, {}, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"};
    }
    const auto upload = uploads_.find(asked.upload_id);
    if (upload == uploads_.end()) return {404, {}, error_xml("NoSuchUpload")};
    if (asked.verb == "UploadPart") {
      upload->second.parts[asked.part] = {new_etag(), request.body_bytes};
      return {200, {{"ETag", upload->second.parts[asked.part].first}}};
    }
    if (asked.verb == "AbortMultipartUpload") {
      uploads_.erase(upload);
      return {204};
    }
    if (asked.verb == "ListParts") return list_parts(upload->second);
    return complete(asked, upload->second);
  }

  Reply read_object(const Asked& asked) {
    const auto found = objects_.find(asked.key);
    if (found == objects_.end()) return {404, {}, error_xml("NoSuchKey")};
    Reply reply{200, found->second.fields, found->second.body};
    reply.fields.emplace_back("ETag", found->second.etag);
    if (asked.verb == "HeadObject") {
      reply.fields.emplace_back("Content-Length", std::to_string(found->second.bytes));
    }
    return reply;
  }

  Reply complete(const Asked& asked, const Upload& upload) {
    if (condition_fails(asked)) return {412, {}, error_xml("PreconditionFailed")};
    Object object{{}, 0, new_etag(), upload.fields};
    for (const auto& [number, part] : upload.parts) object.bytes += part.second;
    objects_[asked.key] = object;
    uploads_.erase(asked.upload_id);
    return {
        200,
        {},
        "<CompleteMultipartUploadResult><ETag>" + object.etag + "</ETag></CompleteMultipartUploadResult>"};
  }

  static Reply list_parts(const Upload& upload) {
    std::string xml = "<ListPartsResult><IsTruncated>false</IsTruncated>";
    for (const auto& [number, part] : upload.parts) {
      xml += "<Part><PartNumber>" + std::to_string(number) + "</PartNumber><ETag>" + part.first +
             "</ETag><Size>" + std::to_string(part.second) + "</Size></Part>";
    }
    return {200, {}, xml + "</ListPartsResult>"};
  }

  Reply list_uploads(const Asked&) {
    std::string xml = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>";
    for (const auto& [id, upload] : uploads_) {
      xml += "<Upload><Key>" + upload.key + "</Key><UploadId>" + id +
             "</UploadId><Initiated>2200-01-01T00:00:00.000Z</Initiated></Upload>";
    }
    return {200, {}, xml + "</ListMultipartUploadsResult>"};
  }

  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::map<std::string, Upload> uploads_;
  std::map<std::string, int> counts_;
  std::vector<Asked> asked_;
  int numbers_ = 0;
  ScriptedServer server_;  // last: its threads stop first
};

}  // namespace penstock::test
