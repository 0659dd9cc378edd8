#include "penstock/aws/canonical.h"

#include <algorithm>
#include <array>
#include <map>

#include "penstock/http/url.h"

namespace penstock::aws {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

bool is_legal_in_url(unsigned char byte) {
  return byte > 0x20 && byte < 0x7f && std::string_view{"\"<>\\^`{|}"}.find(byte) == std::string_view::npos;
}

std::string encode_illegal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    // Control characters stay: http::Url refuses them, with a message that says so.
    if (is_legal_in_url(byte) || byte < 0x20 || byte == 0x7f)
      out += c;
    else
      out += http::percent_encode({&c, 1}, false);
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string collapse(std::string_view value) {
  std::string out;
  for (std::size_t at = 0; (at = value.find_first_not_of(kWhiteSpace, at)) != std::string_view::npos;) {
    const auto end = std::min(value.find_first_of(kWhiteSpace, at), value.size());
    if (!out.empty()) out += ' ';
    out += value.substr(at, end - at);
    at = end;
  }
  return out;
}

bool is_signed(std::string_view lower_name) {
  static constexpr std::array<std::string_view, 13> kUnsigned{"accept-encoding",
                                                              "authorization",
                                                              "connection",
                                                              "expect",
                                                              "keep-alive",
                                                              "proxy-authenticate",
                                                              "proxy-authorization",
                                                              "te",
                                                              "trailer",
                                                              "transfer-encoding",
                                                              "upgrade",
                                                              "user-agent",
                                                              "x-amzn-trace-id"};
  return std::find(kUnsigned.begin(), kUnsigned.end(), lower_name) == kUnsigned.end();
}

// "." and ".." are resolved and runs of '/' become one, as AWS servers do before they sign.
std::string normalized(std::string_view path) {
  std::vector<std::string_view> segments;
  for (std::size_t at = 0; at < path.size();) {
    const auto end = std::min(path.find('/', at), path.size());
    const auto segment = path.substr(at, end - at);
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
    at = end + 1;
  }
  std::string out;
  for (auto segment : segments) out.append("/").append(segment);
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

}  // namespace

std::string wire_url(std::string_view url) {
  url = url.substr(0, url.find('#'));
  const auto scheme = url.find("://");
  const auto authority = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto path = std::min(url.find_first_of("/?", authority), url.size());
  return std::string{url.substr(0, path)} + encode_illegal(url.substr(path));
}

std::string canonical_path(std::string_view path, PathRule rule) {
  std::string out{path.empty() ? "/" : path};
  if (rule.normalize) out = normalized(out);
  return rule.encode ? http::percent_encode(out, true) : out;
}

std::vector<QueryField> query_fields(std::string_view query) {
  const auto recode = [](std::string_view text) {
    return http::percent_encode(http::percent_decode(text), false);
  };
  std::vector<QueryField> fields;
  for (std::size_t at = 0; at < query.size();) {
    const auto end = std::min(query.find('&', at), query.size());
    const auto field = query.substr(at, end - at);
    const auto equals = std::min(field.find('='), field.size());
    if (!field.empty())
      fields.emplace_back(recode(field.substr(0, equals)),
                          equals < field.size() ? recode(field.substr(equals + 1)) : "");
    at = end + 1;
  }
  return fields;
}

std::string canonical_query(std::vector<QueryField> fields) {
  std::sort(fields.begin(), fields.end());
  return join_query(fields);
}

std::string join_query(const std::vector<QueryField>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

SignedHeaders canonical_headers(const http::Headers& headers) {
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : headers) {
    auto key = lower(name);
    if (!is_signed(key)) continue;
    auto [at, first] = values.try_emplace(std::move(key), collapse(value));
    if (!first) at->second.append(",").append(collapse(value));
  }
  SignedHeaders out;
  for (const auto& [name, value] : values) {
    out.lines.append(name).append(":").append(value).append("\n");
    out.names.append(out.names.empty() ? "" : ";").append(name);
  }
  return out;
}

}  // namespace penstock::aws
