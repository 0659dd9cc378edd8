#include "penstock/http/proxy.h"

#include <cstdlib>
#include <map>
#include <string_view>

#include "penstock/base/error.h"
#include "penstock/http/address_policy.h"
#include "penstock/http/headers.h"

namespace penstock::http {
namespace {

constexpr const char* kRead[] = {"http_proxy", "https_proxy", "HTTPS_PROXY",   "all_proxy",    "ALL_PROXY",
                                 "no_proxy",   "NO_PROXY",    "AWS_CA_BUNDLE", "SSL_CERT_FILE"};

std::string first_of(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = environment(name); value && *value) return value;
  }
  return {};
}

bool in_network(const std::string& host, std::string_view cidr) {
  try {
    return !AddressPolicy::custom({}, {std::string(cidr)}).allows(std::string_view(host));
  } catch (const Error&) {
    return false;
  }
}

bool in_domain(std::string_view host, std::string_view domain) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.empty() || host.size() < domain.size()) return false;
  const auto tail = host.substr(host.size() - domain.size());
  return same_name(tail, domain) &&
         (tail.size() == host.size() || host[host.size() - domain.size() - 1] == '.');
}

bool names_host(std::string_view entry, const std::string& host) {
  if (entry == "*") return true;
  if (!is_address(host)) return in_domain(host, entry);
  return entry == host || (entry.find('/') != std::string_view::npos && in_network(host, entry));
}

bool excepted(std::string_view list, const std::string& host) {
  while (!list.empty()) {
    const auto end = list.find_first_of(", ");
    const auto entry = list.substr(0, end);
    if (!entry.empty() && names_host(entry, host)) return true;
    if (end == std::string_view::npos) break;
    list.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

Environment environment_now() {
  std::map<std::string, std::string, std::less<>> values;
  for (const char* name : kRead) {
    if (const char* value = std::getenv(name)) values.emplace(name, value);
  }
  return [values = std::move(values)](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}

std::string proxy_for(const Url& url, const std::string& setting, const Environment& environment) {
  if (setting != "env") return setting;
  if (excepted(first_of(environment, {"no_proxy", "NO_PROXY"}), url.host)) return {};
  return url.scheme == "https"
             ? first_of(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
             : first_of(environment, {"http_proxy", "all_proxy", "ALL_PROXY"});
}

}  // namespace penstock::http
