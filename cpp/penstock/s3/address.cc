#include "penstock/s3/address.h"

#include <algorithm>
#include <cctype>

#include "penstock/base/error.h"
#include "penstock/base/redact.h"

namespace penstock::s3 {
namespace {

constexpr std::string_view kAmazon = ".amazonaws.com";

std::string query_text(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += text.empty() ? '?' : '&';
    text += http::percent_encode(name, false);
    // A bare name ("?uploads") signs as "uploads=" and every server takes it with the sign too.
    text += '=';
    text += http::percent_encode(value, false);
  }
  return text;
}

// Where the region's label stands in an AWS host, or where one may be put in.
struct RegionLabel {
  std::size_t begin = 0, size = 0;
};

std::optional<RegionLabel> region_label(std::string_view host) {
  const std::size_t amazon = host.rfind(kAmazon);
  if (amazon == std::string_view::npos) return std::nullopt;
  const std::string_view rest = host.substr(amazon + kAmazon.size());
  if (!rest.empty() && rest != ".cn") return std::nullopt;
  std::size_t end = amazon;
  if (host.substr(0, end).ends_with(".vpce")) end -= std::string_view{".vpce"}.size();
  const std::size_t dot = host.substr(0, end).rfind('.');
  const std::size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
  // A region has a dash and a digit at its end: us-east-1. "s3" and "s3-accelerate" do not.
  const std::string_view label = host.substr(begin, end - begin);
  const bool is_region = label.find('-') != std::string_view::npos && !label.empty() &&
                         std::isdigit(static_cast<unsigned char>(label.back()));
  return is_region ? RegionLabel{begin, end - begin} : RegionLabel{end, 0};
}

bool fits_tls_wildcard(std::string_view bucket) {
  return bucket.find('.') == std::string_view::npos;
}

bool is_dns_label(std::string_view bucket) {
  return std::ranges::all_of(
      bucket, [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '-' || c == '.'; });
}

bool is_address_literal(const http::Url& url) {
  return url.ipv6 ||
         std::ranges::all_of(url.host, [](unsigned char c) { return std::isdigit(c) || c == '.'; });
}

bool use_virtual_host(const http::Url& endpoint, std::string_view bucket, Addressing addressing,
                      const Capabilities* row) {
  if (addressing == Addressing::path) return false;
  if (addressing == Addressing::automatic) {
    return row && row->virtual_host && fits_tls_wildcard(bucket) && is_dns_label(bucket);
  }
  if (is_address_literal(endpoint)) {
    throw Error{Kind::refused, "addressing=\"virtual\" needs a host name, and the endpoint " +
                                   endpoint.display() + " is an address; use addressing=\"path\""};
  }
  return true;
}

http::Url parse_endpoint(std::string_view endpoint) {
  http::Url url = http::Url::parse(endpoint);
  if (url.has_userinfo || !url.query.empty()) {
    throw Error{Kind::refused,
                "the endpoint " + url.display() +
                    " must be a plain http or https URL, without user and query; give credentials "
                    "as access_key_id and secret_access_key"};
  }
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

}  // namespace

std::string Address::bucket_url(const Query& query) const {
  const std::string path = virtual_host ? "/" : "/" + bucket;
  http::Url url = endpoint;
  if (virtual_host) url.host = bucket + "." + endpoint.host;
  return url.scheme + "://" + url.host_header() + endpoint.path + path + query_text(query);
}

std::string Address::object_url(std::string_view key, const Query& query) const {
  const std::string slash = virtual_host ? "" : "/";
  return bucket_url() + slash + http::percent_encode(key, true) + query_text(query);
}

Address Address::in_region(const std::string& other) const {
  Address moved = *this;
  moved.region = other;
  if (const auto label = region_label(endpoint.host)) {
    moved.endpoint.host.replace(label->begin, label->size, label->size ? other : "." + other);
  }
  return moved;
}

std::string Address::moved(const std::string& url) const {
  http::Url target = http::Url::parse(url);
  target.host = virtual_host ? bucket + "." + endpoint.host : endpoint.host;
  return target.text();
}

Address make_address(std::string_view endpoint, std::string_view bucket, std::string_view region,
                     Addressing addressing, const Capabilities* row) {
  check_bucket(bucket);
  Address address;
  address.endpoint = parse_endpoint(endpoint.empty() ? aws_endpoint(region) : endpoint);
  address.bucket = bucket;
  address.region = region;
  address.virtual_host = use_virtual_host(address.endpoint, bucket, addressing, row);
  return address;
}

bool is_region_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string aws_endpoint(std::string_view region) {
  const std::string_view suffix = region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com";
  return "https://s3." + std::string{region} + std::string{suffix};
}

std::optional<std::string> region_in_host(std::string_view host) {
  const auto label = region_label(host);
  if (!label || label->size == 0) return std::nullopt;
  return std::string{host.substr(label->begin, label->size)};
}

void check_bucket(std::string_view bucket) {
  const bool fits =
      bucket.size() >= 3 && bucket.size() <= 63 && std::ranges::all_of(bucket, [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '-' || c == '_';
      });
  if (fits && bucket.find("..") == std::string_view::npos) return;
  throw Error{Kind::refused, "bucket \"" + redact_text(bucket, 80) +
                                 "\" is not a bucket name: 3 to 63 of a-z, 0-9, dot, dash"};
}

}  // namespace penstock::s3
