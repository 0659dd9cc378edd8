#include "penstock/s3/xml.h"

#include <algorithm>
#include <charconv>

#include <pugixml.hpp>

#include "penstock/aws/dates.h"
#include "penstock/aws/service_error.h"
#include "penstock/base/error.h"
#include "penstock/http/url.h"

namespace penstock::s3 {
namespace {

[[noreturn]] void throw_corrupt(std::string_view what, const std::string& why) {
  throw Error{Kind::corrupt, "the answer is no " + std::string{what} + ": " + why, {.code = "xml"}};
}

// The element `name` found at the root.
class Document {
 public:
  Document(std::string_view xml, const char* name) : Document(xml, name, name) {}
  // Either root will do.
  Document(std::string_view xml, const char* name, std::string_view other) {
    if (aws::has_too_many_tags(xml)) throw_corrupt(name, "too many elements");
    // ws_pcdata_single: a key of one space is a key.
    const auto parsed = document_.load_buffer(
        xml.data(), xml.size(), pugi::parse_default | pugi::parse_ws_pcdata_single, pugi::encoding_utf8);
    if (!parsed) throw_corrupt(name, parsed.description());
    const std::string_view root = document_.document_element().name();
    if (root != name && root != other) {
      throw_corrupt(name, "its root is another element");
    }
  }
  pugi::xml_node root() const { return document_.document_element(); }

 private:
  pugi::xml_document document_;
};

// All text under `node`: pugixml splits it at comments and CDATA.
std::string text_of(pugi::xml_node node) {
  std::string text;
  for (const pugi::xml_node& child : node.children()) {
    if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) text += child.value();
  }
  return text;
}

std::string text(pugi::xml_node parent, const char* name) {
  return text_of(parent.child(name));
}

bool flag(pugi::xml_node parent, const char* name) {
  return text(parent, name) == "true";
}

KeptChecksums checksums(pugi::xml_node parent) {
  return {.crc64nvme = text(parent, "ChecksumCRC64NVME"),
          .crc32c = text(parent, "ChecksumCRC32C"),
          .crc32 = text(parent, "ChecksumCRC32")};
}

template <typename Number>
Number number(pugi::xml_node parent, const char* name) {
  const std::string digits = text(parent, name);
  Number value{};
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc{} || end != digits.data() + digits.size()) {
    throw_corrupt(parent.name(), std::string{name} + " is no number");
  }
  return value;
}

// Decodes keys of an answer that says it encoded them; a space may come as '+'.
class KeyReader {
 public:
  explicit KeyReader(pugi::xml_node root) : encoded_(text(root, "EncodingType") == "url") {}
  std::string read(pugi::xml_node parent, const char* name) const {
    std::string key = text(parent, name);
    if (!encoded_) return key;
    std::ranges::replace(key, '+', ' ');
    return http::percent_decode(key);
  }

 private:
  bool encoded_;
};

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\t':
        out += "&#9;";
        break;
      case '\n':  // raw, these two would be normalised away
        out += "&#10;";
        break;
      case '\r':
        out += "&#13;";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace

ObjectPage parse_objects(std::string_view xml) {
  const Document document{xml, "ListBucketResult"};
  const pugi::xml_node root = document.root();
  const KeyReader keys{root};
  ObjectPage page{.truncated = flag(root, "IsTruncated"),
                  .next_token = text(root, "NextContinuationToken"),
                  .next_marker = keys.read(root, "NextMarker")};
  for (const pugi::xml_node& entry : root.children("CommonPrefixes")) {
    page.prefixes.push_back(keys.read(entry, "Prefix"));
  }
  for (const pugi::xml_node& entry : root.children("Contents")) {
    page.objects.push_back({.key = keys.read(entry, "Key"),
                            .etag = text(entry, "ETag"),
                            .storage_class = text(entry, "StorageClass"),
                            .bytes = number<std::uint64_t>(entry, "Size"),
                            .last_modified = parse_iso_time(text(entry, "LastModified"))});
  }
  return page;
}

const std::string& KeptChecksums::of(Algorithm algorithm) const {
  static const auto& none = *new std::string;  // never freed, as I/O threads outlive statics
  if (algorithm == Algorithm::crc64nvme) return crc64nvme;
  if (algorithm == Algorithm::crc32c) return crc32c;
  return algorithm == Algorithm::crc32 ? crc32 : none;
}

PartPage parse_parts(std::string_view xml) {
  const Document document{xml, "ListPartsResult"};
  const pugi::xml_node root = document.root();
  PartPage page{.truncated = flag(root, "IsTruncated"),
                .checksum_algorithm = text(root, "ChecksumAlgorithm"),
                .checksum_type = text(root, "ChecksumType")};
  for (const pugi::xml_node& entry : root.children("Part")) {
    page.parts.push_back({.number = number<int>(entry, "PartNumber"),
                          .bytes = number<std::uint64_t>(entry, "Size"),
                          .etag = text(entry, "ETag"),
                          .checksums = checksums(entry)});
  }
  if (page.truncated) page.next_marker = number<int>(root, "NextPartNumberMarker");
  return page;
}

UploadPage parse_uploads(std::string_view xml) {
  const Document document{xml, "ListMultipartUploadsResult"};
  const pugi::xml_node root = document.root();
  const KeyReader keys{root};
  UploadPage page{.truncated = flag(root, "IsTruncated"),
                  .next_key = keys.read(root, "NextKeyMarker"),
                  .next_upload_id = text(root, "NextUploadIdMarker")};
  for (const pugi::xml_node& entry : root.children("Upload")) {
    page.uploads.push_back({.key = keys.read(entry, "Key"),
                            .upload_id = text(entry, "UploadId"),
                            .initiated = parse_iso_time(text(entry, "Initiated"))});
  }
  return page;
}

std::string parse_upload_id(std::string_view xml) {
  const Document document{xml, "InitiateMultipartUploadResult"};
  std::string id = text(document.root(), "UploadId");
  if (id.empty()) throw_corrupt("InitiateMultipartUploadResult", "it names no UploadId");
  return id;
}

CompleteResult parse_complete(std::string_view xml) {
  const Document document{xml, "CompleteMultipartUploadResult"};
  const pugi::xml_node root = document.root();
  return {text(root, "ETag"), text(root, "ChecksumType"), checksums(root)};
}

std::vector<DeleteFailure> parse_delete(std::string_view xml) {
  const Document document{xml, "DeleteResult"};
  std::vector<DeleteFailure> failures;
  for (const pugi::xml_node& entry : document.root().children("Error")) {
    failures.push_back({text(entry, "Key"), text(entry, "Code"), text(entry, "Message")});
  }
  return failures;
}

CopyResult parse_copy(std::string_view xml) {
  const Document document{xml, "CopyObjectResult", "CopyPartResult"};
  CopyResult result{text(document.root(), "ETag")};
  if (result.etag.empty()) throw_corrupt("CopyObjectResult", "it has no ETag");
  return result;
}

std::map<std::string, std::string> parse_tags(std::string_view xml) {
  const Document document{xml, "Tagging"};
  std::map<std::string, std::string> tags;
  for (const pugi::xml_node& tag : document.root().child("TagSet").children("Tag")) {
    tags[text(tag, "Key")] = text(tag, "Value");
  }
  return tags;
}

std::optional<WallTime> parse_iso_time(std::string_view text) {
  return aws::parse_iso8601(text);
}

std::string complete_body(std::span<const CompletedPart> parts, std::string_view checksum_element) {
  const std::string element{checksum_element};
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  xml.reserve(xml.size() + parts.size() * 160);
  for (const CompletedPart& part : parts) {
    xml += "<Part><ETag>";
    append_escaped(xml, part.etag);
    xml += "</ETag><PartNumber>" + std::to_string(part.number) + "</PartNumber>";
    if (!part.checksum.empty()) xml += "<" + element + ">" + part.checksum + "</" + element + ">";
    xml += "</Part>";
  }
  return xml += "</CompleteMultipartUpload>";
}

bool xml_can_carry(std::string_view key) {
  const bool control = std::ranges::any_of(
      key, [](unsigned char c) { return c < 0x20 && c != '\t' && c != '\n' && c != '\r'; });
  // U+FFFE and U+FFFF are the two other code points that XML 1.0 excludes.
  return !control && key.find("\xEF\xBF\xBE") == key.npos && key.find("\xEF\xBF\xBF") == key.npos;
}

std::string delete_body(std::span<const std::string> keys) {
  std::string xml = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
  for (const std::string& key : keys) {
    xml += "<Object><Key>";
    append_escaped(xml, key);
    xml += "</Key></Object>";
  }
  return xml += "</Delete>";
}

}  // namespace penstock::s3
