#include "penstock/bundles/unpacker.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "penstock/bundles/names.h"
#include "penstock/codecs/tar_header.h"
#include "penstock/codecs/tar_reader.h"
#include "penstock/codecs/zip_format.h"

namespace penstock::bundles {
namespace {

constexpr std::string_view kGzipMagic = "\x1f\x8b\x08", kZipMagic = "PK\3\4", kAnyZipMagic = "PK";
constexpr std::string_view kOctetStream = "application/octet-stream";
constexpr std::size_t kNameLengthAt = 26;  // in a zip's local header
constexpr std::size_t kLookAtName = 20;    // longer than those that say what a zip is

bool begins(Peek& bytes, std::string_view magic) {
  return as_text(bytes.peek(magic.size())) == magic;
}

// By the signatures a zip may begin with; an empty one begins with its end.
bool is_zip(Peek& bytes) {
  const Bytes seen = bytes.peek(codecs::zip::kSignatureBytes);
  if (seen.size() < codecs::zip::kSignatureBytes) return false;
  const std::uint32_t signature = codecs::zip::le32(seen, 0);
  return signature == codecs::zip::kLocal || signature == codecs::zip::kEnd ||
         signature == codecs::zip::kEnd64;
}

// By its first member, which office documents, OpenDocument and EPUB, and jars have by rule.
bool is_document(Peek& bytes) {
  const Bytes seen = bytes.peek(codecs::zip::kLocalBytes + kLookAtName);
  if (seen.size() < codecs::zip::kLocalBytes) return false;
  const std::string_view name =
      as_text(seen.subspan(codecs::zip::kLocalBytes)).substr(0, codecs::zip::le16(seen, kNameLengthAt));
  return name == "[Content_Types].xml" || name == "mimetype" || name.starts_with("META-INF/");
}

bool is_tar(Peek& bytes, const Declared& declared) {
  return (declared.tar || !declared.anything) && codecs::is_tar_header(bytes.peek(codecs::kTarBlockBytes));
}

}  // namespace

Unpacker::Unpacker(Source& body, Resource declared, UnpackOptions options)
    : body_(body),
      resource_(std::move(declared)),
      options_(options),
      from_{.url = resource_.url, .bytes = body.remaining()} {}

void Unpacker::decide() {
  if (failure_) std::rethrow_exception(failure_);
  if (form_ != Form::unknown) return;
  try {
    form_ = open(declared_of(url_path(resource_.url), resource_.content_type));
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
}

Unpacker::Form Unpacker::open(const Declared& declared) {
  Form form = form_of_body(declared);
  if (form == Form::gzip) form = inflate();
  if (form == Form::tar || form == Form::zip) open_archive(form);
  return form;
}

Unpacker::Form Unpacker::form_of_body(const Declared& declared) {
  if (begins(body_, kGzipMagic)) return Form::gzip;
  if (is_tar(body_, declared)) {
    from_.codec = "tar";
    return Form::tar;
  }
  if (begins(body_, kAnyZipMagic)) return form_of_zip(declared);
  if (ends_in_its_magic(declared)) return declared.gzip ? Form::gzip : Form::zip;
  resource_.mismatch = declared.compressed();
  return Form::whole;
}

Unpacker::Form Unpacker::form_of_zip(const Declared& declared) {
  if (declared.document || is_document(body_)) return Form::whole;
  if (declared.zip) return options_.keep_zip ? Form::whole : Form::zip;
  if (!declared.anything && is_zip(body_)) return Form::zip;
  resource_.mismatch = declared.compressed();
  return Form::whole;
}

// Cut so short that it cannot be told from something else: that is no page of another kind, it is truncated.
// An empty body is, if its status says that it came.
bool Unpacker::ends_in_its_magic(const Declared& declared) {
  const bool extracted = declared.zip && !declared.document && !options_.keep_zip;
  if (!declared.gzip && !extracted) return false;
  const std::string_view magic = declared.gzip ? kGzipMagic : kZipMagic;
  const std::string_view seen = as_text(body_.peek(magic.size()));
  return seen.size() < magic.size() && magic.starts_with(seen) &&
         (!seen.empty() || resource_.status_code == 200);
}

// From here on it is what was compressed: that may be a tar, and nothing else is looked into.
Unpacker::Form Unpacker::inflate() {
  gunzip_ = std::make_unique<codecs::Gunzip>(
      body_, codecs::Gunzip::Options{.limits = options_.limits, .ignore_trailing = options_.ignore_trailing});
  inflated_ = std::make_unique<Peek>(*gunzip_);
  Declared declared = declared_of(url_path(resource_.url), resource_.content_type);
  const bool said_tar = declared.tar;
  resource_.url = without_gzip_suffix(resource_.url);
  if (resource_.content_type && is_gzip_type(*resource_.content_type))
    resource_.content_type = type_by_suffix(url_path(resource_.url)).value_or(std::string{kOctetStream});
  declared = declared_of(url_path(resource_.url), resource_.content_type);
  declared.tar |= said_tar;
  const Form form = is_tar(*inflated_, declared) ? Form::tar : Form::gzip;
  from_.codec = form == Form::tar ? "tar.gz" : "gzip";
  resource_.derived_from = from_;
  return form;
}

void Unpacker::open_archive(Form form) {
  Source& from = inflated_ ? static_cast<Source&>(*inflated_) : body_;
  if (form == Form::tar) {
    archive_ = std::make_unique<codecs::TarReader>(from, options_.limits);
    return;
  }
  auto zip = std::make_unique<codecs::ZipReader>(from, options_.limits);
  zip_ = zip.get();
  archive_ = std::move(zip);
  from_.codec = "zip";
}

bool Unpacker::is_archive() {
  decide();
  return archive_ != nullptr;
}

const Unpacked* Unpacker::next() {
  return is_archive() ? give_member() : give_only();
}

const Unpacked* Unpacker::give_only() {
  if (std::exchange(given_, true)) return nullptr;
  unpacked_.resource = resource_;
  return &unpacked_;
}

const Unpacked* Unpacker::give_member() {
  using Type = codecs::Entry::Type;
  while (const codecs::Entry* entry = archive_->next()) {
    if (zip_) stored_.push_back(entry->type == Type::file);
    if (entry->type == Type::folder) continue;
    unpacked_.resource = Resource{.url = member_url(resource_.url, entry->name),
                                  .content_type = std::string{kOctetStream},
                                  .status_code = resource_.status_code,
                                  .derived_from = from_};
    unpacked_.skipped = entry->type == Type::file ? "" : entry->type == Type::link ? "link" : "device";
    return &unpacked_;
  }
  return nullptr;
}

Source& Unpacker::content() {
  if (archive_) return archive_->content();
  return inflated_ ? static_cast<Source&>(*inflated_) : body_;
}

std::vector<std::uint64_t> Unpacker::withdrawn() const {
  std::vector<std::uint64_t> numbers;
  if (!zip_) return numbers;
  std::uint64_t entry = 0, number = 0;
  for (const std::uint64_t special : zip_->special()) {
    for (; entry < special; ++entry) number += stored_[entry] ? 1 : 0;
    if (stored_[special]) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace penstock::bundles
