// The canonical request of signature version 4: the form in which client and server must agree on every byte.
// Pure functions; the rules are s3.md 2.4.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/http/headers.h"

namespace penstock::aws {

// `url` with what may not stand raw in its path and query (a space, quotes, braces, non-ASCII)
// percent-encoded, and without its fragment. What is already encoded stays as it is.
std::string wire_url(std::string_view url);

// What becomes of a path before it is signed. S3: nothing, since "//" and "/../" are parts of keys. The
// others encode every byte that is not unreserved, '%' included: a path that came encoded ends encoded twice,
// a raw one once, as the public vectors have it.
struct PathRule {
  bool normalize;
  bool encode;
};
std::string canonical_path(std::string_view path, PathRule rule);

using QueryField = std::pair<std::string, std::string>;  // encoded name, encoded value

// Each name and value decoded, then encoded: "%2f", "%2F" and "/" are one. '+' is itself, never a space.
std::vector<QueryField> query_fields(std::string_view query);
// Sorted by encoded name, then encoded value; a bare name signs as "name=".
std::string canonical_query(std::vector<QueryField> fields);
std::string join_query(const std::vector<QueryField>& fields);

struct SignedHeaders {
  std::string lines;  // "name:value\n" each
  std::string names;  // "host;x-amz-date"
};
// Lower-case names sorted, values trimmed, runs of white space collapsed, values of a repeated name joined by
// ','. Headers that hops rewrite are left out.
SignedHeaders canonical_headers(const http::Headers& headers);

}  // namespace penstock::aws
