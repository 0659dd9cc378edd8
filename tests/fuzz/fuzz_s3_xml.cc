// S3's answers are read or corrupt, whatever they hold; nothing is found in them that was not there.
#include <string>

#include "penstock/aws/service_error.h"
#include "penstock/s3/xml.h"

#include "claim.h"

using namespace penstock;
using fuzz::claim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto page = fuzz::parsed([&] { return s3::parse_objects(text); }))
    claim(page->objects.size() <= size, "a page lists no more than it holds");
  if (const auto page = fuzz::parsed([&] { return s3::parse_parts(text); }))
    claim(page->parts.size() <= size, "a page lists no more than it holds");
  if (const auto page = fuzz::parsed([&] { return s3::parse_uploads(text); }))
    claim(page->uploads.size() <= size, "a page lists no more than it holds");
  if (const auto id = fuzz::parsed([&] { return s3::parse_upload_id(text); }))
    claim(!id->empty() && id->size() <= size, "an upload has an id");
  if (const auto done = fuzz::parsed([&] { return s3::parse_complete(text); }))
    claim(done->etag.size() <= size, "an ETag is taken from the text");
  fuzz::parsed([&] { return s3::parse_delete(text); });
  if (const auto time = s3::parse_iso_time(text)) claim(size >= 16, "a time has all its parts");
  for (const int status : {200, 400}) {
    const auto error = aws::parse_service_error(status, {}, text);
    if (error) claim(error->code.size() <= size, "a code is taken from the text");
  }
  return 0;
}
