#include <algorithm>

#include "penstock/base/hide.h"
#include "penstock/base/redact.h"
#include "penstock/http/request.h"
#include "penstock/http/url.h"

namespace penstock::http {
namespace {

bool is_marked(const Request& request, std::string_view name) {
  return std::any_of(request.secret_headers.begin(), request.secret_headers.end(),
                     [&](const std::string& marked) { return same_name(marked, name); });
}

// The value, what follows a scheme ("Bearer ..."), and the signature a list of fields ends with.
void add_header(std::vector<std::string>& all, const std::string& value) {
  constexpr std::string_view kSignature = "Signature=";
  all.push_back(value);
  if (const auto space = value.find(' '); space != value.npos) all.push_back(value.substr(space + 1));
  if (const auto at = value.rfind(kSignature); at != value.npos)
    all.push_back(value.substr(at + kSignature.size()));
}

void add_query(std::vector<std::string>& all, std::string_view query) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto field = query.substr(0, end);
    const auto sign = std::min(field.find('='), field.size());
    if (sign < field.size() && names_secret(percent_decode(field.substr(0, sign))))
      all.push_back(percent_decode(field.substr(sign + 1)));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
}

}  // namespace

std::vector<std::string> secret_values(const Request& request) {
  std::vector<std::string> all;
  for (const auto& [name, value] : request.headers) {
    if (names_secret(name) || is_marked(request, name)) add_header(all, value);
  }
  const std::string_view url = request.url;
  if (const auto mark = url.find('?'); mark != url.npos)
    add_query(all, url.substr(mark + 1, url.find('#', mark) - mark - 1));
  std::erase_if(all, [](const std::string& value) { return value.size() < kShortestSecret; });
  return all;
}

}  // namespace penstock::http
