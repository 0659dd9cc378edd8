// URLs taken apart and checked, never normalised: `//`, `/./` and `%2e` reach the wire as given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::http {

struct Url {
  std::string scheme;  // "http", "https"
  std::string host;    // lower case, without brackets; IPv6 numeric
  bool ipv6 = false;
  std::uint16_t port = 0;  // never 0 after parse: the scheme's default is filled in
  std::string path;        // begins with '/', as given
  std::string query;       // without '?', as given
  bool has_userinfo = false;

  // Throws Error(refused): scheme not http(s), no host, bad port, control characters, spaces, over 64 KiB.
  static Url parse(std::string_view text);

  bool default_port() const;
  std::string host_header() const;  // lower case, brackets for IPv6, port unless default: what libcurl sends
  std::string origin() const;       // "https://host:port", always with the port: key of pools and quotas
  std::string text() const;         // with query, without fragment and userinfo
  std::string display() const;      // without query: fit for errors and logs
};

// Where `location` leads from `base` (RFC 3986 section 5). Spaces and non-ASCII in it are percent-encoded;
// dot segments are removed only where it is relative. Throws Error(refused) for a bad or foreign scheme.
Url resolve(const Url& base, std::string_view location);

// Percent-encodes all but A-Z a-z 0-9 - . _ ~ (and '/' if kept). Upper-case hex.
std::string percent_encode(std::string_view text, bool keep_slash);
std::string percent_decode(std::string_view text);  // bad escapes stay as they are

}  // namespace penstock::http
