#include "penstock/s3/abort.h"

#include <functional>
#include <iterator>

namespace penstock::s3 {
namespace {

constexpr int kRounds = 3;
constexpr std::chrono::seconds kAbortTotal{30};
constexpr std::chrono::seconds kClockGrain{2};

class Abort : public std::enable_shared_from_this<Abort> {
 public:
  Abort(std::shared_ptr<Client> client, UploadName upload)
      : client_(std::move(client)), chore_(client_->http().chore()), upload_(std::move(upload)) {}

  void round() {
    ++rounds_;
    client_->submit(abort_upload(client_->address(), upload_), sending("abort upload"),
                    [self = shared_from_this()](const http::Outcome& outcome) { self->on_aborted(outcome); });
  }

 private:
  Sending sending(const char* doing) const {
    return {.key = upload_.key, .doing = doing, .side = Side::sink, .chore = true, .total = kAbortTotal};
  }

  void on_aborted(const http::Outcome& outcome) {
    const Error* error = std::get_if<Error>(&outcome);
    if (!error) return confirm();
    if (error->kind() == Kind::missing) return over(true);
    over(false);
  }

  void confirm() {
    client_->submit(list_parts(client_->address(), upload_, 0), sending("confirm abort"),
                    [self = shared_from_this()](const http::Outcome& outcome) { self->on_listed(outcome); });
  }

  void on_listed(const http::Outcome& outcome) {
    // An error other than 404 says nothing against the abort, which was acknowledged.
    if (std::holds_alternative<Error>(outcome)) return over(true);
    if (rounds_ == kRounds) return over(false);
    round();
  }

  void over(bool gone) {
    client_->endpoint().closed(upload_.upload_id);
    client_->http().count([gone](http::Statistics& statistics) {
      --statistics.uploads_open;
      ++(gone ? statistics.uploads_aborted : statistics.uploads_orphaned);
    });
    if (!gone) {
      client_->http().log(LogLevel::warning, "s3",
                          "upload " + upload_.upload_id + " of " + client_->location(upload_.key) +
                              " could not be aborted and stays open");
    }
  }

  std::shared_ptr<Client> client_;
  std::shared_ptr<void> chore_;
  UploadName upload_;
  int rounds_ = 0;
};

bool has_parts(Client& client, const UploadName& upload, const Call& call) {
  const http::Response response = client.send(list_parts(client.address(), upload, 0),
                                              {.call = call, .key = upload.key, .doing = "list parts"});
  return !parse_parts(response.body).parts.empty();
}

void reap(const std::shared_ptr<Client>& client, const std::string& key, WallTime begun, const Call& call) {
  for (const ListedUpload& found : uploads_of(*client, key, call)) {
    const bool ours = found.initiated && *found.initiated >= begun - kClockGrain &&
                      !client->endpoint().knows(found.upload_id);
    const UploadName upload{key, found.upload_id};
    if (!ours || has_parts(*client, upload, call)) continue;
    client->http().count([](http::Statistics& statistics) { ++statistics.uploads_open; });
    abort_in_background(client, upload);
  }
}

std::vector<ListedUpload> list_uploads_while(Client& client, const std::string& prefix, const Call& call,
                                             const std::function<bool(const UploadPage&)>& more) {
  std::vector<ListedUpload> found;
  UploadPage page;
  do {
    const bool both_markers = client.capabilities(call).upload_id_marker;
    if (!both_markers) page.next_upload_id.clear();
    const UploadPage after = page;
    const http::Response response =
        client.send(list_uploads(client.address(), prefix, after),
                    {.call = call, .key = prefix, .doing = "list uploads", .usual_attempts = kBodyAttempts});
    page = parse_uploads(response.body);
    if (page.truncated && page.next_key == after.next_key && page.next_upload_id == after.next_upload_id) {
      throw Error{Kind::corrupt, "the listing of uploads repeats its markers", {.doing = "list uploads"}};
    }
    std::move(page.uploads.begin(), page.uploads.end(), std::back_inserter(found));
  } while (page.truncated && more(page));
  return found;
}

}  // namespace

void abort_in_background(const std::shared_ptr<Client>& client, const UploadName& upload) {
  std::make_shared<Abort>(client, upload)->round();
}

std::vector<ListedUpload> uploads_of(Client& client, const std::string& key, const Call& call) {
  // Keys come in order: past this one there are only longer ones with the same beginning.
  auto found =
      list_uploads_while(client, key, call, [&](const UploadPage& page) { return page.next_key == key; });
  std::erase_if(found, [&](const ListedUpload& upload) { return upload.key != key; });
  return found;
}

std::vector<ListedUpload> uploads_under(Client& client, const std::string& prefix, const Call& call) {
  auto found = list_uploads_while(client, prefix, call, [](const UploadPage&) { return true; });
  // Others' are aborted by nobody's mistake, a server's neither.
  std::erase_if(found, [&](const ListedUpload& upload) { return !upload.key.starts_with(prefix); });
  return found;
}

void reap_orphans(const std::shared_ptr<Client>& client, const std::string& key, WallTime begun,
                  const Call& call) noexcept {
  try {
    reap(client, key, begun, call);
  } catch (const std::exception& failure) {
    client->http().count([](http::Statistics& statistics) { ++statistics.uploads_orphaned; });
    client->http().log(
        LogLevel::warning, "s3",
        "orphaned uploads of " + client->location(key) + " could not be looked for: " + failure.what());
  }
}

}  // namespace penstock::s3
