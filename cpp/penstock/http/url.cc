#include "penstock/http/url.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include <arpa/inet.h>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"
#include "penstock/base/units.h"

namespace penstock::http {
namespace {

constexpr std::size_t kMaxUrlBytes = 64_KiB;
constexpr std::size_t kMaxHostBytes = 254;  // 253 and the root's dot
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

[[noreturn]] void refuse(std::string_view url, const std::string& why) {
  const std::string shown = redact_text(redact_url(url), 200);
  throw Error(Kind::refused, "the URL " + shown + " cannot be used: " + why,
              Facts{.doing = "parse URL", .subject = shown, .code = "url"});
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

void check_characters(std::string_view text) {
  if (text.size() > kMaxUrlBytes) refuse(text.substr(0, 200), "it is longer than 64 KiB");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) refuse(text, "a space or control character must be percent-encoded");
  }
}

// Takes "scheme:" off `rest`; "" if it does not begin with one.
std::string take_scheme(std::string_view& rest) {
  const auto colon = rest.find_first_of(":/?#");
  if (colon == rest.npos || rest[colon] != ':' || colon == 0) return {};
  std::string scheme = lower(rest.substr(0, colon));
  if (scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") != scheme.npos) return {};
  rest.remove_prefix(colon + 1);
  return scheme;
}

std::uint16_t parse_port(std::string_view text, const Url& url, std::string_view whole) {
  if (text.empty()) return url.scheme == "https" ? 443 : 80;
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0 || port > 65535)
    refuse(whole, "its port is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(port);
}

std::string parse_ipv6(std::string_view text, std::string_view whole) {
  in6_addr address{};
  if (::inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1)
    refuse(whole, "the brackets hold no IPv6 address");
  char numeric[INET6_ADDRSTRLEN];
  return ::inet_ntop(AF_INET6, &address, numeric, sizeof numeric);
}

// Whether the resolver would read it as an IPv4 number: the last label begins like one ("127.1",
// "0x7f000001").
bool looks_like_ipv4(std::string_view host) {
  const auto dot = host.find_last_of('.');
  const std::string_view last = dot == host.npos ? host : host.substr(dot + 1);
  if (last.empty()) return false;
  return last.find_first_not_of(kDigits) == last.npos ||
         (last.starts_with("0x") && last.find_first_not_of("0123456789abcdef", 2) == last.npos);
}

// libcurl writes such a number as four decimals before it builds the Host header; so do we, to sign the same.
std::string dotted_ipv4(const std::string& host, std::string_view whole) {
  in_addr address{};
  if (::inet_aton(host.c_str(), &address) != 1)
    refuse(whole, "its host ends in a number but is no IPv4 address");
  char numeric[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &address, numeric, sizeof numeric);
}

std::string parse_host(std::string_view text, std::string_view whole) {
  const std::string host = lower(text);
  if (host.empty() || host == "." || host.front() == '.') refuse(whole, "it names no host");
  if (host.size() > kMaxHostBytes || host.find("..") != host.npos)
    refuse(whole, "its host is no domain name: too long, or an empty label");
  if (host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._~") != host.npos)
    refuse(whole, "its host holds a character no domain name has; write an international name as xn--...");
  const std::string_view rooted(host.data(), host.size() - (host.back() == '.' ? 1 : 0));
  return looks_like_ipv4(rooted) ? dotted_ipv4(host, whole) : host;
}

void parse_authority(std::string_view text, Url& url, std::string_view whole) {
  // Browsers end the host at a backslash, RFC 3986 does not: what is read two ways is not read.
  if (text.find('\\') != text.npos) refuse(whole, "a backslash stands before its path");
  if (const auto at = text.rfind('@'); at != text.npos) {
    url.has_userinfo = true;
    text.remove_prefix(at + 1);
  }
  url.ipv6 = text.starts_with('[');
  const auto close = text.find(']');
  if (url.ipv6 && close == text.npos) refuse(whole, "its IPv6 address lacks the closing bracket");
  const std::size_t host_end = url.ipv6 ? close + 1 : std::min(text.find(':'), text.size());
  const std::string_view host = text.substr(0, host_end), rest = text.substr(host_end);
  if (!rest.empty() && rest.front() != ':') refuse(whole, "only a port may follow its host");
  url.host = url.ipv6 ? parse_ipv6(host.substr(1, host.size() - 2), whole) : parse_host(host, whole);
  url.port = parse_port(rest.substr(std::min<std::size_t>(1, rest.size())), url, whole);
}

// RFC 3986 section 5.2.4.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_in_slash = false;
  for (std::size_t at = 1; at <= path.size();) {  // past the leading '/'
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    const bool dots = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!dots) kept.push_back(segment);
    ends_in_slash = dots;
    at = end + 1;
  }
  std::string result;
  for (const auto segment : kept) result.append("/").append(segment);
  return ends_in_slash || result.empty() ? result + "/" : result;
}

// Servers send Locations with raw spaces and UTF-8; control characters stay, to be refused.
std::string encode_raw(std::string_view text) {
  std::string result;
  for (const char& c : text) {
    if (c == ' ' || static_cast<unsigned char>(c) >= 0x80)
      result += percent_encode({&c, 1}, false);
    else
      result += c;
  }
  return result;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Url Url::parse(std::string_view text) {
  check_characters(text);
  Url url;
  std::string_view rest = text.substr(0, text.find('#'));
  url.scheme = take_scheme(rest);
  if (url.scheme != "http" && url.scheme != "https") refuse(text, "only http:// and https:// are fetched");
  if (!rest.starts_with("//")) refuse(text, "it has no // after its scheme");
  rest.remove_prefix(2);
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  parse_authority(rest.substr(0, authority_end), url, text);
  rest.remove_prefix(authority_end);
  const std::size_t path_end = std::min(rest.find('?'), rest.size());
  url.path = rest.substr(0, path_end);
  if (url.path.empty()) url.path = "/";
  if (path_end < rest.size()) url.query = rest.substr(path_end + 1);
  return url;
}

bool Url::default_port() const {
  return port == (scheme == "https" ? 443 : 80);
}

std::string Url::host_header() const {
  const std::string name = ipv6 ? "[" + host + "]" : host;
  return default_port() ? name : name + ":" + std::to_string(port);
}

std::string Url::origin() const {
  return scheme + "://" + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Url::text() const {
  return query.empty() ? display() : display() + "?" + query;
}

std::string Url::display() const {
  return scheme + "://" + host_header() + path;
}

Url resolve(const Url& base, std::string_view location) {
  std::string reference = encode_raw(location.substr(0, location.find('#')));
  std::string_view rest = reference;
  if (!take_scheme(rest).empty()) return Url::parse(reference);
  if (reference.starts_with("//")) return Url::parse(base.scheme + ":" + reference);
  const std::string root = base.scheme + "://" + base.host_header();
  if (reference.starts_with("/")) return Url::parse(root + reference);
  if (reference.empty()) return Url::parse(base.text());
  if (reference.starts_with("?")) return Url::parse(root + base.path + reference);
  const std::size_t path_end = std::min(reference.find('?'), reference.size());
  const std::string merged = base.path.substr(0, base.path.rfind('/') + 1) + reference.substr(0, path_end);
  return Url::parse(root + remove_dot_segments(merged) + reference.substr(path_end));
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kUnreserved.find(c) != kUnreserved.npos || (keep_slash && c == '/'))
      result += c;
    else
      result.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return result;
}

std::string percent_decode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    result += low >= 0 ? static_cast<char>(high * 16 + low) : text[i];
    if (low >= 0) i += 2;
  }
  return result;
}

}  // namespace penstock::http
