// What a resource says it is, by the suffix of its path and by its content type, before anybody looks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::bundles {

// Either may say it. octet-stream says nothing, nor does a suffix that is not known.
struct Declared {
  bool gzip = false, tar = false, zip = false;
  bool document = false;  // a zip that is one thing, not several: xlsx, epub, jar
  bool anything = false;

  bool compressed() const { return gzip || tar || zip; }
};
Declared declared_of(std::string_view path, const std::optional<std::string>& content_type);

bool is_gzip_type(std::string_view content_type);

// By the suffix of a path; nothing for one that is not known.
std::optional<std::string> type_by_suffix(std::string_view path);

// The same URL without ".gz" or ".gzip", in any case, at the end of its path.
std::string without_gzip_suffix(std::string_view url);

// The URL of a member of the archive at `url`: joined to its path, before query and fragment. Characters that
// would end a path are encoded.
std::string member_url(std::string_view url, std::string_view member);

}  // namespace penstock::bundles
