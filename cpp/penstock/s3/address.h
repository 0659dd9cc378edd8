// Where a bucket and its keys are: the endpoint, path or virtual-host form, the region in the host.
//
// Keys go on the wire percent-encoded once and never normalised: "a//b" and "./x" are keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/http/url.h"
#include "penstock/s3/config.h"
#include "penstock/s3/provider.h"

namespace penstock::s3 {

using Query = std::vector<std::pair<std::string, std::string>>;

struct Address {
  http::Url endpoint;  // its path is a prefix without a last '/', its query empty
  std::string bucket;
  std::string region;  // signed for
  bool virtual_host = false;

  std::string bucket_url(const Query& query = {}) const;
  std::string object_url(std::string_view key, const Query& query = {}) const;

  // The same bucket where its region is `other`: AWS hosts name the region, others only sign for it.
  Address in_region(const std::string& other) const;
  // `url`, which this address made, as the other address would make it.
  std::string moved(const std::string& url) const;
};

// `endpoint` "" is AWS. `row` is what is known of the provider so far.
// Throws Error(refused): an endpoint that is no http(s) URL, a bucket name that does not fit.
Address make_address(std::string_view endpoint, std::string_view bucket, std::string_view region,
                     Addressing addressing, const Capabilities* row);

// Whether this can be a region: 1..32 of a-z 0-9 -. What an answer calls one goes into a host name.
bool is_region_name(std::string_view text);

// "https://s3.eu-west-1.amazonaws.com"
std::string aws_endpoint(std::string_view region);

// The region that an AWS host names: "s3.eu-west-1.amazonaws.com" -> "eu-west-1"; nullopt for other hosts.
std::optional<std::string> region_in_host(std::string_view host);

// 3..63 of a-z A-Z 0-9 . - _ (old buckets have capitals and underscores), else Error(refused).
void check_bucket(std::string_view bucket);

}  // namespace penstock::s3
