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
  if (stored.members) line["members"] = *stored.members;
  add_notes(line, resource);
  return line;
}

Json named(std::string_view name, const Json& rest) {
  Json line;
  line["name"] = name;
  line.update(rest);
  return line;
}

bool is_stored(const Json& line) {
  return line.contains("sha256");
}

}  // namespace

std::string line_of(const Resource& resource, const StoredResource& stored) {
  return compact(named(stored.name, sidecar(resource, stored)));
}

std::string line_of_member(const Resource& resource, const StoredResource& stored,
                           std::string_view member_of) {
  Json line = named(stored.name, sidecar(resource, stored));
  line["member_of"] = member_of;
  return compact(line);
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

// All of what `lines` appends, or by a throw nothing of it: half a line would be in every copy.
template <class Lines>
void Manifest::append_whole(Lines lines) {
  const std::uint64_t size = spool_.size();
  Hasher hasher = hasher_;
  const Totals totals = totals_;
  try {
    lines();
  } catch (...) {
    spool_.cut(size);
    hasher_ = std::move(hasher);
    totals_ = totals;
    throw;
  }
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

std::string_view kind_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return to_string(error.kind());
  } catch (...) {
    return "error";  // of the body, which is not ours
  }
}

void Manifest::append(const Manifest& others, const Withdrawn& withdrawn) {
  const Totals totals = others.totals();
  const std::lock_guard lock{mutex_};
  append_whole([&] {
    if (withdrawn.empty()) {
      append_all(others);
    } else {
      append_but(others, withdrawn);
    }
    count(totals);
    totals_.stored -= withdrawn.size();
  });
}

void Manifest::append_container(std::string_view line, const Manifest& members) {
  const Totals totals = members.totals();
  const std::lock_guard lock{mutex_};
  append_whole([&] {
    append_line(line);
    append_all(members);
    count(totals);
  });
}

void Manifest::count(const Totals& others) {
  totals_.stored += others.stored;
  totals_.failed += others.failed;
  totals_.bytes += others.bytes;
}

void Manifest::append_all(const Manifest& others) {
  std::vector<std::byte> buffer(kReadBytes);
  disk::SpoolSource lines{others.spool()};
  while (const std::size_t n = lines.read(buffer)) {
    const Bytes some = Bytes{buffer}.first(n);
    spool_.write(some);
    hasher_.update(some);
  }
}

void Manifest::append_but(const Manifest& others, const Withdrawn& withdrawn) {
  ManifestLines lines{others.spool()};
  std::uint64_t number = 0;
  while (const auto line = lines.next()) {
    Json parsed = Json::parse(*line);  // words of our own
    const auto found = is_stored(parsed) ? withdrawn.find(number++) : withdrawn.end();
    if (found == withdrawn.end()) {
      append_line(*line);
      continue;
    }
    totals_.bytes -= parsed["size"].get<std::uint64_t>();
    for (const char* field : {"name", "size", "sha256", "member_of"}) parsed.erase(field);
    parsed["skipped"] = found->second;
    append_line(compact(parsed));
  }
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

std::optional<std::string> ManifestLines::next() {
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

std::optional<std::string> last_failed(const Manifest& manifest) {
  std::optional<std::string> last;
  if (manifest.totals().failed == 0) return last;
  for (ManifestLines lines{manifest.spool()}; auto line = lines.next();)
    if (Json::parse(*line).contains("failed")) last = *line;
  return last;
}

std::optional<std::string> StoredNames::next() {
  while (const auto line = lines_.next()) {
    const Json parsed = Json::parse(*line);
    if (is_stored(parsed) && parsed.contains("member_of") == (of_ == Of::members))
      return parsed["name"].get<std::string>();
  }
  return std::nullopt;
}

}  // namespace penstock::bundles
