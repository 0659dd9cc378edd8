#include "penstock/bundles/declared.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "penstock/bundles/names.h"

namespace penstock::bundles {
namespace {

using Type = std::pair<std::string_view, std::string_view>;

// Of IANA's registry, and what servers send for it where there is none.
constexpr Type kTypes[] = {
    {"avro", "application/avro"},
    {"bmp", "image/bmp"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"doc", "application/msword"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"gml", "application/gml+xml"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"ics", "text/calendar"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript"},
    {"json", "application/json"},
    {"jsonl", "application/x-ndjson"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"log", "text/plain"},
    {"md", "text/markdown"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ndjson", "application/x-ndjson"},
    {"parquet", "application/vnd.apache.parquet"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"rdf", "application/rdf+xml"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"sql", "application/sql"},
    {"sqlite", "application/vnd.sqlite3"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"tsv", "text/tab-separated-values"},
    {"ttl", "text/turtle"},
    {"txt", "text/plain"},
    {"warc", "application/warc"},
    {"webp", "image/webp"},
    {"xbrl", "application/xbrl-instance+xml"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xml", "application/xml"},
    {"xsd", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
};

constexpr std::string_view kDocuments[] = {
    "3mf",  "aab",  "aar",  "apk",  "appx",  "crx",  "docm", "docx", "dotm", "dotx", "ear", "epub",
    "ipa",  "jar",  "kmz",  "msix", "nupkg", "odf",  "odg",  "odp",  "ods",  "odt",  "otg", "otp",
    "ots",  "ott",  "oxps", "potm", "potx",  "ppsm", "ppsx", "pptm", "pptx", "sxc",  "sxw", "usdz",
    "vsdx", "vsix", "war",  "whl",  "xlam",  "xlsb", "xlsm", "xlsx", "xltm", "xltx", "xpi", "xps",
};

constexpr std::string_view kGzipTypes[] = {"application/gzip", "application/x-gzip",
                                           "application/gzip-compressed", "application/x-gunzip"};
constexpr std::string_view kTarTypes[] = {"application/x-tar", "application/tar", "application/x-gtar",
                                          "application/x-ustar"};
constexpr std::string_view kTarGzipTypes[] = {"application/x-tgz", "application/x-compressed-tar",
                                              "application/x-gtar-compressed", "application/tar+gzip"};
constexpr std::string_view kZipTypes[] = {"application/zip", "application/x-zip",
                                          "application/x-zip-compressed", "multipart/x-zip"};
constexpr std::string_view kDocumentTypes[] = {"application/java-archive", "application/x-java-archive",
                                               "application/vnd.android.package-archive",
                                               "application/x-xpinstall", "application/oxps"};
constexpr std::string_view kDocumentFamilies[] = {"application/vnd.openxmlformats-officedocument.",
                                                  "application/vnd.oasis.opendocument.",
                                                  "application/vnd.sun.xml."};

template <class Names>
bool is_among(std::string_view name, const Names& names) {
  return std::ranges::find(names, name) != std::end(names);
}

std::string lower(std::string_view text) {
  std::string low{text};
  for (char& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return low;
}

// Of the path's last part; "" for none.
std::string suffix_of(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  const auto dot = last.rfind('.');
  return dot == last.npos ? std::string{} : lower(last.substr(dot + 1));
}

bool is_gzip_suffix(std::string_view suffix) {
  return suffix == "gz" || suffix == "gzip";
}

// Lower case, without its parameters.
std::string plain_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.front() == ' ') type.remove_prefix(1);
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return lower(type);
}

void add_suffix(Declared& declared, std::string_view path) {
  const std::string suffix = suffix_of(path);
  if (is_gzip_suffix(suffix)) {
    declared.gzip = true;
    declared.tar |= suffix_of(path.substr(0, path.size() - suffix.size() - 1)) == "tar";
  }
  if (suffix == "tgz") declared.gzip = declared.tar = true;
  declared.tar |= suffix == "tar";
  declared.zip |= suffix == "zip";
  declared.document |= is_among(suffix, kDocuments);
  declared.anything |= declared.gzip || declared.document || type_by_suffix(path).has_value();
}

void add_type(Declared& declared, std::string_view type) {
  if (type.empty() || type.ends_with("/octet-stream")) return;
  const bool tar_gzip = is_among(type, kTarGzipTypes);
  declared.gzip |= tar_gzip || is_among(type, kGzipTypes);
  declared.tar |= tar_gzip || is_among(type, kTarTypes);
  declared.zip |= is_among(type, kZipTypes);
  declared.document |= type.ends_with("+zip") || is_among(type, kDocumentTypes) ||
                       std::ranges::any_of(kDocumentFamilies,
                                           [&](std::string_view family) { return type.starts_with(family); });
  declared.anything = true;
}

// Where the path of `url` ends.
std::size_t path_end(std::string_view url) {
  const std::string_view path = url_path(url);
  return static_cast<std::size_t>(path.data() - url.data()) + path.size();
}

}  // namespace

Declared declared_of(std::string_view path, const std::optional<std::string>& content_type) {
  Declared declared;
  add_suffix(declared, path);
  add_type(declared, plain_type(content_type.value_or("")));
  return declared;
}

bool is_gzip_type(std::string_view content_type) {
  const std::string type = plain_type(content_type);
  return is_among(type, kGzipTypes) || is_among(type, kTarGzipTypes);
}

std::optional<std::string> type_by_suffix(std::string_view path) {
  const std::string suffix = suffix_of(path);
  const auto* const found = std::ranges::find(kTypes, suffix, &Type::first);
  return found == std::end(kTypes) ? std::nullopt : std::optional{std::string{found->second}};
}

std::string without_gzip_suffix(std::string_view url) {
  const std::string suffix = suffix_of(url_path(url));
  std::string without{url};
  if (is_gzip_suffix(suffix)) without.erase(path_end(url) - suffix.size() - 1, suffix.size() + 1);
  return without;
}

std::string member_url(std::string_view url, std::string_view member) {
  std::string joined{url.substr(0, path_end(url))};
  if (!joined.ends_with('/')) joined += '/';
  for (const char c : member) {
    switch (c) {
      case '?':
        joined += "%3F";
        break;
      case '#':
        joined += "%23";
        break;
      case '%':
        joined += "%25";
        break;
      default:
        joined += c;
    }
  }
  return joined.append(url.substr(path_end(url)));
}

}  // namespace penstock::bundles
