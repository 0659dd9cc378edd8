#include "penstock/bundles/staging.h"

namespace penstock::bundles {

std::string Staging::resource_name_of(const Resource& resource) {
  return resource_name(resource.url);
}

}  // namespace penstock::bundles
