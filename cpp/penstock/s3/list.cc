#include "penstock/s3/list.h"

#include <algorithm>

#include "penstock/s3/verbs.h"

namespace penstock::s3 {
namespace {

class ObjectListing final : public store::Listing {
 public:
  ObjectListing(std::shared_ptr<Client> client, std::string_view prefix, std::string_view delimiter,
                const store::ListOptions& options, Call call)
      : client_(std::move(client)), call_(std::move(call)) {
    const std::string& root = client_->config().prefix;
    query_.prefix = root + std::string{prefix};
    query_.delimiter = delimiter;
    if (!options.start_after.empty()) query_.start_after = root + options.start_after;
    last_key_ = query_.start_after;
  }

  std::optional<store::ObjectMeta> next() override {
    while (at_ == page_.objects.size() && prefix_at_ == page_.prefixes.size()) {
      if (started_ && !page_.truncated) return std::nullopt;
      fetch();
    }
    if (prefix_is_next()) return meta_of(std::move(page_.prefixes[prefix_at_++]));
    return meta_of(std::move(page_.objects[at_++]));
  }

 private:
  // The two halves of a page are each in order.
  bool prefix_is_next() const {
    if (prefix_at_ == page_.prefixes.size()) return false;
    return at_ == page_.objects.size() || page_.prefixes[prefix_at_] < page_.objects[at_].key;
  }

  void fetch() {
    const std::string token = query_.token;
    page_ = ask();
    at_ = prefix_at_ = 0;
    started_ = true;
    check_progress();
    last_key_ = std::max(last_key_, last_of(page_));
    if (!page_.truncated) return;
    // v1, and v2 by servers that know only v1's continuation, goes on from the last key.
    if (page_.next_token.empty()) {
      if (is_empty(page_)) throw corrupt("is truncated and names nothing to go on from");
      by_marker_ = true;
      return;
    }
    if (page_.next_token == token) throw corrupt("repeats its continuation token");
    query_.token = page_.next_token;
  }

  ObjectPage ask() {
    const Capabilities& row = client_->capabilities(call_);
    by_marker_ = by_marker_ || row.lists_v1;
    query_.raw_keys = row.raw_keys;
    http::Request request = by_marker_ ? list_objects_v1(client_->address(), query_, last_key_)
                                       : list_objects_v2(client_->address(), query_);
    const Sending how{.call = call_, .doing = "list", .side = Side::source, .usual_attempts = kBodyAttempts};
    const http::Response response = client_->send(std::move(request), how);
    return parse_objects(response.body);
  }

  static bool is_empty(const ObjectPage& page) { return page.objects.empty() && page.prefixes.empty(); }

  static std::string last_of(const ObjectPage& page) {
    std::string last = page.next_marker;
    if (!page.objects.empty()) last = std::max(last, page.objects.back().key);
    if (!page.prefixes.empty()) last = std::max(last, page.prefixes.back());
    return last;
  }

  void check_progress() {
    // A first prefix may begin before the start, for keys of it that come after: services differ.
    if (!page_.prefixes.empty() && page_.prefixes.front() <= query_.start_after)
      page_.prefixes.erase(page_.prefixes.begin());
    if (!last_prefix_.empty() && !page_.prefixes.empty() && page_.prefixes.front() <= last_prefix_) {
      throw corrupt("repeats prefixes");
    }
    for (const std::string& prefix : page_.prefixes) check_inside(prefix);
    if (!page_.prefixes.empty()) last_prefix_ = page_.prefixes.back();
    if (page_.objects.empty()) return;
    if (!last_key_.empty() && page_.objects.front().key <= last_key_) throw corrupt("repeats keys");
    for (const ListedObject& object : page_.objects) check_inside(object.key);
  }

  void check_inside(const std::string& key) const {
    if (!key.starts_with(query_.prefix)) throw corrupt("has a key outside the prefix");
  }

  Error corrupt(const std::string& why) const {
    const std::string subject = client_->location(query_.prefix);
    return Error{Kind::corrupt,
                 "the listing of " + subject + " " + why,
                 {.side = Side::source, .doing = "list", .subject = subject}};
  }

  store::ObjectMeta meta_of(ListedObject&& object) const {
    store::ObjectMeta meta;
    meta.key = object.key.substr(client_->config().prefix.size());
    meta.bytes = object.bytes;
    meta.etag = std::move(object.etag);
    meta.storage_class = std::move(object.storage_class);
    meta.last_modified = object.last_modified;
    return meta;
  }

  store::ObjectMeta meta_of(std::string&& prefix) const {
    store::ObjectMeta meta;
    meta.key = prefix.substr(client_->config().prefix.size());
    meta.is_prefix = true;
    return meta;
  }

  std::shared_ptr<Client> client_;
  Call call_;
  ListQuery query_;
  ObjectPage page_;
  std::size_t at_ = 0, prefix_at_ = 0;
  std::string last_key_, last_prefix_;
  bool started_ = false, by_marker_ = false;
};

}  // namespace

std::unique_ptr<store::Listing> list_objects(std::shared_ptr<Client> client, std::string_view prefix,
                                             std::string_view delimiter, const store::ListOptions& options,
                                             const Call& call) {
  return std::make_unique<ObjectListing>(std::move(client), prefix, delimiter, options, call);
}

}  // namespace penstock::s3
