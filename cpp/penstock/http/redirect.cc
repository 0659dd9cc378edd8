#include "penstock/http/redirect.h"

#include <algorithm>
#include <string>
#include <vector>

#include "penstock/base/error.h"
#include "penstock/http/url.h"

namespace penstock::http {
namespace {

bool is_followed(const Request& request, int status) {
  const bool safe = request.method == "GET" || request.method == "HEAD";
  return safe && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

[[noreturn]] void refuse(const Url& from, int status, const std::string& why) {
  throw Error(
      Kind::refused, from.display() + " redirects " + why,
      Facts{.doing = "follow redirect", .subject = from.display(), .status = status, .code = "redirect"});
}

// The one Location; "" if there is none.
std::string_view location_of(const Headers& answer, const Url& from, int status) {
  const auto values = answer.all("Location");
  if (values.empty()) return {};
  if (std::any_of(values.begin(), values.end(), [&](auto value) { return value != values[0]; }))
    refuse(from, status, "to several places at once");
  return values[0];
}

bool stays_behind(std::string_view name, const Request& request) {
  for (const std::string_view credential : {"Authorization", "Cookie", "Host"})
    if (same_name(name, credential)) return true;
  return same_name(name.substr(0, 6), "Proxy-") ||
         std::any_of(request.secret_headers.begin(), request.secret_headers.end(),
                     [&](const std::string& secret) { return same_name(name, secret); });
}

Headers without_secrets(const Request& request) {
  Headers kept;
  for (const auto& [name, value] : request.headers)
    if (!stays_behind(name, request)) kept.add(name, value);
  return kept;
}

}  // namespace

std::optional<Request> redirected(const Request& request, int status, const Headers& answer, int followed,
                                  int max_redirects) {
  if (!is_followed(request, status) || max_redirects <= 0) return std::nullopt;
  const Url from = Url::parse(request.url);
  const std::string_view location = location_of(answer, from, status);
  if (location.empty()) return std::nullopt;
  if (followed >= max_redirects)
    refuse(from, status, "once more, after " + std::to_string(followed) + " redirects");
  const Url to = resolve(from, location);
  if (to.has_userinfo) refuse(from, status, "to a URL with a user name in it");
  if (from.scheme == "https" && to.scheme == "http") refuse(from, status, "from https to http");
  Request next = request;
  next.url = to.text();
  if (status != 307 && status != 308) next.body = nullptr;
  if (to.origin() != from.origin()) next.headers = without_secrets(request);
  return next;
}

}  // namespace penstock::http
