#include "penstock/bundles/manifest.h"

#include <utility>
#include <vector>

#include "penstock/base/json.h"
#include "penstock/bundles/documents.h"

namespace penstock::bundles {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

Json described(const Resource& resource) {
  Json line;
  line["url"] = resource.url;
  line["content_type"] = resource.content_type ? Json(*resource.content_type) : Json(nullptr);
  line["status_code"] = resource.status_code;
  return line;
}

void add_notes(Json& line, const Resource& resource) {
  if (resource.derived_from) {
    Json& from = line["derived_from"];
    from["url"] = resource.derived_from->url;
    if (resource.derived_from->bytes) from["size"] = *resource.derived_from->bytes;
    from["codec"] = resource.derived_from->codec;
  }
  if (resource.mismatch) line["mismatch"] = true;
}

Json sidecar(const Resource& resource, const StoredResource& stored) {
  Json line = described(resource);
  line["size"] = stored.bytes;
  line["sha256"] = stored.sha256;
  add_notes(line, resource);
  return line;
}

Json named(std::string_view name, const Json& rest) {
  Json line;
  line["name"] = name;
  line.update(rest);
  return line;
}

}  // namespace

std::string line_of(const Resource& resource, const StoredResource& stored) {
  return compact(named(stored.name, sidecar(resource, stored)));
}

std::string sidecar_of(const Resource& resource, const StoredResource& stored) {
  return compact(sidecar(resource, stored));
}

std::string line_of_failed(const Resource& resource, std::string_view name, std::string_view kind) {
  Json line = named(name, described(resource));
  add_notes(line, resource);
  line["failed"] = kind;
  return compact(line);
}

std::string line_of_skipped(const Resource& resource, std::string_view why) {
  Json line = described(resource);
  add_notes(line, resource);
  line["skipped"] = why;
  return compact(line);
}

void Manifest::append_line(std::string_view line) {
  std::string whole{line};
  whole += '\n';
  spool_.write(as_bytes(whole));
  hasher_.update(as_bytes(whole));
}

void Manifest::append_stored(std::string_view line, std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  append_line(line);
  ++totals_.stored;
  totals_.bytes += bytes;
}

void Manifest::append_failed(std::string_view line) {
  const std::lock_guard lock{mutex_};
  append_line(line);
  ++totals_.failed;
}

void Manifest::append_note(std::string_view line) {
  const std::lock_guard lock{mutex_};
  append_line(line);
}

void Manifest::append(const Manifest& others) {
  const Totals totals = others.totals();
  const std::lock_guard lock{mutex_};
  std::vector<std::byte> buffer(kReadBytes);
  disk::SpoolSource lines{others.spool()};
  while (const std::size_t n = lines.read(buffer)) {
    const Bytes some = Bytes{buffer}.first(n);
    spool_.write(some);
    hasher_.update(some);
  }
  totals_.stored += totals.stored;
  totals_.failed += totals.failed;
  totals_.bytes += totals.bytes;
}

Totals Manifest::totals() const {
  const std::lock_guard lock{mutex_};
  return totals_;
}

std::string Manifest::sha256() const {
  const std::lock_guard lock{mutex_};
  return hasher_.digest().hex();
}

std::uint64_t Manifest::size() const {
  const std::lock_guard lock{mutex_};
  return spool_.size();
}

std::optional<std::string> StoredNames::next_line() {
  for (;;) {
    if (const auto end = ahead_.find('\n', at_); end != ahead_.npos) {
      std::string line = ahead_.substr(at_, end - at_);
      at_ = end + 1;
      return line;
    }
    ahead_.erase(0, at_);
    at_ = ahead_.size();  // no line ends before here
    ahead_.resize(at_ + kReadBytes);
    const std::size_t n = lines_.read(std::as_writable_bytes(std::span{ahead_}.subspan(at_)));
    ahead_.resize(at_ + n);
    at_ = 0;
    if (n == 0) return std::nullopt;
  }
}

std::optional<std::string> StoredNames::next() {
  while (const auto line = next_line()) {
    const Json parsed = Json::parse(*line);  // words of our own
    if (parsed.contains("sha256")) return parsed["name"].get<std::string>();
  }
  return std::nullopt;
}

}  // namespace penstock::bundles
