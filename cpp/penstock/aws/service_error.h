// What AWS and its likes say when they refuse, and what that means for the caller. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/error.h"
#include "penstock/http/headers.h"
#include "penstock/http/request.h"

namespace penstock::aws {

// S3's XML <Error>, the query protocol's <ErrorResponse>, or JSON with __type. Fields not said are empty;
// a HEAD says nothing but `region` and the ids, which come from headers.
struct ServiceError {
  std::string code, message, request_id, host_id, region, server_time, bucket;
};

// nullopt: a success, or a failure that says nothing of its own. A 200 may hold an error too.
std::optional<ServiceError> parse_service_error(int status, const http::Headers& headers,
                                                std::string_view body);

// True of what no service sends and no parser should see: 8 MiB of "<a/>" would become 2 million nodes of 64
// bytes. A page of 1,000 entries has about 20,000 tags with owners and checksums; the limit is ten times
// that.
bool has_too_many_tags(std::string_view xml);

// Whether `body` is one whole XML document: an answer that was cut off after its 200 is not.
// One with too many tags counts as whole: who reads it refuses it.
bool is_whole_xml(std::string_view body);

// The class a service code belongs to (s3.md 1.3), or nullopt: then the status decides.
std::optional<http::RetryClass> classify_code(std::string_view code);

// What a code or, if it is unknown, a status means for the caller (s3.md section 10).
Kind kind_of(std::string_view code, int status);

// Kind and facts filled in; the message redacted and cut.
Error service_error(const http::Attempt& attempt, const ServiceError& said);

}  // namespace penstock::aws
