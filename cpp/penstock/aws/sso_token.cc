#include "penstock/aws/sso_token.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "penstock/aws/dates.h"
#include "penstock/aws/digest.h"
#include "penstock/aws/key_answer.h"
#include "penstock/aws/small_file.h"
#include "penstock/base/json.h"
#include "penstock/disk/file_lock.h"
#include "penstock/disk/staged_file.h"

namespace penstock::aws {
namespace {

constexpr std::chrono::minutes kRenewAhead{15};
constexpr std::size_t kMaxFileBytes = 64 * 1024;

class TokenFile {
 public:
  TokenFile(const SsoLogin& login, const http::ClientOptions& web, const Call& call)
      : login_(login), web_(web), call_(call), name_(hex_sha1(login.name) + ".json") {}

  std::string token() {
    read();
    if (ends_ - now() > kRenewAhead || !can_renew()) return unless_ended({});
    // Two that renew one token would each invalidate the other's.
    std::optional<disk::FileLock> lock;
    const auto folder = disk::Folder::open(login_.directory);
    try {
      lock.emplace(folder, disk::Lock::exclusive, call_);
    } catch (const Error& error) {
      if (error.kind() != Kind::refused) throw;  // a file system without locks: as the AWS CLI does
    }
    read();
    if (ends_ - now() > kRenewAhead) return access();
    return renewed(folder);
  }

 private:
  std::string where() const { return login_.directory + "/" + name_; }
  std::string access() const { return text_at(held_, "accessToken"); }
  WallTime now() const { return (web_.clock ? web_.clock : Clock::system())->wall(); }

  Error denied(std::string_view why) const {
    return credentials_error(Kind::denied, fmt::format("{}: {}", why, login_.advice), where());
  }

  void read() {
    const auto text = read_small_file(where(), kMaxFileBytes);
    if (!text) throw denied("there is no token of single sign-on in " + where());
    try {
      held_ = parse_json(*text);
    } catch (const Error&) {
      held_ = nullptr;  // quoted nowhere: it holds tokens
    }
    const auto ends = parse_iso8601(text_at(held_, "expiresAt"));
    if (!ends || access().empty())
      throw denied("the token of single sign-on in " + where() + " is malformed");
    ends_ = *ends;
  }

  bool can_renew() const {
    for (const char* needed : {"refreshToken", "clientId", "clientSecret"})
      if (text_at(held_, needed).empty()) return false;
    const auto registered = parse_iso8601(text_at(held_, "registrationExpiresAt"));
    return !registered || *registered > now();
  }

  std::string unless_ended(const std::optional<Error>& failure) const {
    if (ends_ > now()) return access();
    if (failure && failure->kind() != Kind::denied) throw *failure;
    auto error = denied("the token of single sign-on has ended");
    if (failure) error.facts().cause = std::make_shared<Error>(*failure);
    throw error;
  }

  std::string renewed(const disk::Folder& folder) {
    const auto client = KeyClient::service("single sign-on", web_);
    try {
      take(parse_answer(create_token(client), "single sign-on"));
    } catch (const Error& error) {
      if (error.kind() == Kind::cancelled) throw;
      return unless_ended(error);
    }
    try {
      write(folder);
    } catch (const Error& error) {
      client.warn("a renewed token of single sign-on could not be kept: " + error.message());
    }
    return access();
  }

  // Not sent twice when it may have arrived: a refresh token is good for one use.
  std::string create_token(const KeyClient& client) const {
    const nlohmann::json asked{{"grantType", "refresh_token"},
                               {"clientId", text_at(held_, "clientId")},
                               {"clientSecret", text_at(held_, "clientSecret")},
                               {"refreshToken", text_at(held_, "refreshToken")}};
    http::Request request{.method = "POST", .url = login_.oidc_url + "/token"};
    request.headers.add("content-type", "application/json");
    request.body = http::text_payload(asked.dump());
    return client
        .ask(std::move(request), call_,
             {.secrets = {asked.at("clientSecret"), asked.at("refreshToken")}, .twice = false})
        .body;
  }

  void take(const nlohmann::json& answer) {
    const auto token = text_in(answer, "accessToken", "single sign-on");
    const auto life = answer.find("expiresIn");
    if (token.empty() || life == answer.end() || !life->is_number_integer() || *life < 1 || *life > kMaxLife)
      throw credentials_error(Kind::denied, "single sign-on gave no token when it was to be renewed");
    ends_ = std::chrono::floor<std::chrono::seconds>(now()) + std::chrono::seconds{life->get<std::int64_t>()};
    held_["accessToken"] = token;
    held_["expiresAt"] = iso8601(ends_);
    if (const auto next = text_in(answer, "refreshToken", "single sign-on"); !next.empty())
      held_["refreshToken"] = next;
  }

  void write(const disk::Folder& folder) const {
    disk::StagedFile file{folder, name_};
    if (fchmod(file.fd(), 0600) != 0)
      throw credentials_error(Kind::denied, "its rights could not be set", file.path());
    const auto text = held_.dump();
    file.write(as_bytes(text));
    file.publish(disk::Existing::replace);
  }

  static constexpr std::int64_t kMaxLife = 366LL * 24 * 3600;

  const SsoLogin& login_;
  const http::ClientOptions& web_;
  const Call& call_;
  const std::string name_;
  nlohmann::json held_;
  WallTime ends_;
};

}  // namespace

std::string sso_token(const SsoLogin& login, const http::ClientOptions& web, const Call& call) {
  return TokenFile{login, web, call}.token();
}

}  // namespace penstock::aws
