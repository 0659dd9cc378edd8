#include <algorithm>
#include <charconv>
#include <utility>

#include <openssl/evp.h>

#include "support/connection.h"
#include "support/scripted_server.h"

namespace penstock::test {
namespace {

constexpr std::size_t kMaxHead = 1 << 20;

std::uint64_t number(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find("\r\n"), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 2, text.size()));
  return line;
}

void parse_head(std::string_view head, SeenRequest& seen) {
  const std::string_view first = take_line(head);
  const auto space = first.find(' '), last = first.rfind(' ');
  seen.method = first.substr(0, space);
  if (space != last) seen.target = first.substr(space + 1, last - space - 1);
  for (auto line = take_line(head); !line.empty(); line = take_line(head)) {
    const auto colon = line.find(':');
    if (colon != line.npos)
      seen.headers.add(std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1))));
  }
}

}  // namespace

void Gate::open() const {
  std::lock_guard lock(state_->mutex);
  state_->open = true;
  state_->changed.notify_all();
}

bool Gate::is_open() const {
  std::lock_guard lock(state_->mutex);
  return state_->open;
}

bool Gate::reached() const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, kPatience, [&] { return state_->waiting > 0; });
}

bool Gate::pass(std::stop_token stop) const {
  std::unique_lock lock(state_->mutex);
  ++state_->waiting;
  state_->changed.notify_all();
  return state_->changed.wait(lock, stop, [&] { return state_->open; });
}

// The body as it arrives: what was read beyond the head, the framing, the running digest.
namespace {

void read_more(Connection& wire) {
  char buffer[65536];
  const std::size_t got = wire.read(buffer, sizeof buffer);
  if (got == 0) throw HungUp{};
  wire.unread().append(buffer, got);
}

std::string read_line(Connection& wire) {
  std::string& unread = wire.unread();
  std::size_t end;
  while ((end = unread.find("\r\n")) == unread.npos) read_more(wire);
  std::string text = unread.substr(0, end);
  unread.erase(0, end + 2);
  return text;
}

}  // namespace

struct Exchange::Body {
  std::uint64_t left = 0;  // of the body, or of this chunk
  bool chunked = false, last_chunk = false;
  bool wants_continue = false;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> sha256{EVP_MD_CTX_new(), EVP_MD_CTX_free};

  Body() { EVP_DigestInit_ex(sha256.get(), EVP_sha256(), nullptr); }

  // Makes `left` positive unless the body is over.
  void next_chunk(Connection& wire) {
    if (left > 0 || !chunked || last_chunk) return;
    left = number(read_line(wire), 16);
    last_chunk = left == 0;
    while (last_chunk && !read_line(wire).empty()) continue;  // trailers
  }

  std::string hex() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(sha256.get(), digest, &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += "0123456789abcdef"[digest[i] >> 4];
      text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
  }
};

bool Exchange::read_head() {
  std::string& unread = wire_.unread();
  std::size_t end;
  while ((end = unread.find("\r\n\r\n")) == unread.npos) {
    if (unread.size() > kMaxHead) return false;
    read_more(wire_);
  }
  seen_.head = unread.substr(0, end + 4);
  unread.erase(0, end + 4);
  parse_head(seen_.head, seen_);
  body_ = std::make_shared<Body>();
  body_->left = number(seen_.headers.get("Content-Length"));
  body_->chunked = seen_.headers.has("Transfer-Encoding");
  body_->wants_continue = seen_.headers.has("Expect");
  seen_.body_complete = body_->left == 0 && !body_->chunked;
  return true;
}

void Exchange::send(std::string_view bytes) {
  if (std::exchange(recorded_bytes_, seen_.body_bytes) != seen_.body_bytes) record_(seen_);
  wire_.write(bytes);
}

void Exchange::read_body(std::uint64_t at_most) {
  if (std::exchange(body_->wants_continue, false)) wire_.write("HTTP/1.1 100 Continue\r\n\r\n");
  while (!seen_.body_complete && at_most > 0) {
    body_->next_chunk(wire_);
    if (body_->left > 0 && wire_.unread().empty()) read_more(wire_);
    at_most -= take_body(std::min(body_->left, at_most));
    seen_.body_complete = body_->left == 0 && (!body_->chunked || body_->last_chunk);
  }
  if (seen_.body_complete && seen_.body_sha256.empty()) seen_.body_sha256 = body_->hex();
}

std::uint64_t Exchange::take_body(std::uint64_t at_most) {
  std::string& unread = wire_.unread();
  const std::size_t n = std::min(at_most, std::uint64_t{unread.size()});
  EVP_DigestUpdate(body_->sha256.get(), unread.data(), n);
  seen_.body.append(unread, 0, std::min(n, ScriptedServer::kKeptBody - seen_.body.size()));
  seen_.body_bytes += n;
  unread.erase(0, n);
  body_->left -= n;
  if (n > 0 && body_->left == 0 && body_->chunked) read_line(wire_);
  return n;
}

void Exchange::wait(const Gate& gate) {
  if (!gate.pass(stop_)) throw HungUp{};
}

void Exchange::stall() {
  wire_.wait_for_peer_to_leave();
}

void Exchange::reset() {
  wire_.reset();
}

void Exchange::close() {
  wire_.close();
}

void Exchange::tunnel(std::uint16_t port) {
  wire_.tunnel(port);
}

}  // namespace penstock::test
