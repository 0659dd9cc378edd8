#include "penstock/bundles/staging.h"

#include "penstock/bundles/names.h"

namespace penstock::bundles {

std::string Staging::resource_name_of(const Resource& resource) {
  return resource_name(resource.url);
}

}  // namespace penstock::bundles
