#include "penstock/http/versions.h"

#include <curl/curl.h>

namespace penstock::http {

std::string library_versions() {
  return curl_version();
}

}  // namespace penstock::http
