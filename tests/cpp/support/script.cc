#include <algorithm>
#include <charconv>
#include <utility>

#include "support/scripted_server.h"

namespace penstock::test {
namespace {

std::string status_line(int status) {
  return "HTTP/1.1 " + std::to_string(status) + " " + (status < 400 ? "Fine" : "Trouble") + "\r\n";
}

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

std::string answer_head(int status, const Fields& fields, std::uint64_t length) {
  std::string head = status_line(status);
  bool framed = has_no_body(status);
  for (const auto& [name, value] : fields) {
    head += name + ": " + value + "\r\n";
    framed |= http::same_name(name, "Content-Length") || http::same_name(name, "Transfer-Encoding");
  }
  if (!framed) head += "Content-Length: " + std::to_string(length) + "\r\n";
  return head + "\r\n";
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Script Script::run(Step step) const {
  Script longer = *this;
  longer.steps_.push_back(std::move(step));
  return longer;
}

Script Script::respond(int status, Fields fields, std::string body) const {
  return run([status, fields = std::move(fields), body = std::move(body)](Exchange& exchange) {
    exchange.read_body();
    std::string answer = answer_head(status, fields, body.size());
    if (exchange.request().method != "HEAD" && !has_no_body(status)) answer += body;
    exchange.send(answer);
  });
}

Script Script::bytes(std::string raw) const {
  return run([raw = std::move(raw)](Exchange& exchange) { exchange.send(raw); });
}

Script Script::pieces(std::string raw, std::size_t step) const {
  return run([raw = std::move(raw), step](Exchange& exchange) {
    for (std::size_t at = 0; at < raw.size(); at += step)
      exchange.send(std::string_view(raw).substr(at, step));
  });
}

Script Script::pattern(std::uint64_t from, std::uint64_t size) const {
  return run([from, size](Exchange& exchange) {
    constexpr std::uint64_t kStep = 256 * 1024;
    for (std::uint64_t sent = 0; sent < size; sent += kStep)
      exchange.send(test::pattern(from + sent, std::min(kStep, size - sent)));
  });
}

namespace {

struct Slice {
  int status = 200;
  std::uint64_t first = 0, size = 0;
};

Slice slice_for(const SeenRequest& request, const Resource& resource) {
  const auto if_match = request.headers.find("If-Match");
  if (if_match && *if_match != resource.etag) return {412, 0, 0};
  const auto if_range = request.headers.find("If-Range");
  const bool same = !if_range || *if_range == resource.etag || *if_range == resource.last_modified;
  std::string_view range = request.headers.get("Range");
  if (!resource.ranges || !same || !range.starts_with("bytes=")) return {200, 0, resource.size};
  range.remove_prefix(6);
  const auto dash = range.find('-');
  const std::uint64_t first = number(range.substr(0, dash));
  const std::string_view last = range.substr(dash + 1);
  if (first >= resource.size) return {416, 0, 0};
  const std::uint64_t end = last.empty() ? resource.size : std::min(resource.size, number(last) + 1);
  return {206, first, end - first};
}

void send_slice(Exchange& exchange, const Resource& resource) {
  const Slice slice = slice_for(exchange.request(), resource);
  const std::string total = std::to_string(resource.size);
  Fields fields{{"Accept-Ranges", "bytes"}};
  if (!resource.etag.empty()) fields.emplace_back("ETag", resource.etag);
  if (!resource.last_modified.empty()) fields.emplace_back("Last-Modified", resource.last_modified);
  if (!resource.date.empty()) fields.emplace_back("Date", resource.date);
  if (slice.status == 416) fields.emplace_back("Content-Range", "bytes */" + total);
  if (slice.status == 206)
    fields.emplace_back("Content-Range", "bytes " + std::to_string(slice.first) + "-" +
                                             std::to_string(slice.first + slice.size - 1) + "/" + total);
  exchange.send(answer_head(slice.status, fields, slice.size));
  if (exchange.request().method == "HEAD") return;
  const std::uint64_t shown = std::min(slice.size, resource.reset_after.value_or(slice.size));
  constexpr std::uint64_t kStep = 256 * 1024;
  for (std::uint64_t sent = 0; sent < shown; sent += kStep)
    exchange.send(pattern(slice.first + sent, std::min(kStep, shown - sent)));
  if (shown < slice.size) exchange.close();
}

}  // namespace

Script Script::serve(Resource resource) const {
  return run([resource = std::move(resource)](Exchange& exchange) {
    exchange.read_body();
    send_slice(exchange, resource);
  });
}

Script Script::read_body(std::uint64_t at_most) const {
  return run([at_most](Exchange& exchange) { exchange.read_body(at_most); });
}

Script Script::wait(Gate gate) const {
  return run([gate = std::move(gate)](Exchange& exchange) { exchange.wait(gate); });
}

Script Script::stall() const {
  return run([](Exchange& exchange) { exchange.stall(); });
}

Script Script::reset() const {
  return run([](Exchange& exchange) { exchange.reset(); });
}

Script Script::close() const {
  return run([](Exchange& exchange) { exchange.close(); });
}

Script Script::tunnel(std::uint16_t port) const {
  return run([port](Exchange& exchange) { exchange.tunnel(port); });
}

std::string pattern(std::uint64_t from, std::uint64_t size) {
  static const std::string table = [] {
    constexpr std::size_t kPrime = 1'048'573;
    std::string bytes(kPrime, '\0');
    std::uint64_t state = 88172645463325252u;  // xorshift64
    for (char& byte : bytes) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      byte = static_cast<char>(state >> 56);
    }
    return bytes;
  }();
  std::string out;
  out.reserve(size);
  while (out.size() < size) out.append(table, (from + out.size()) % table.size(), size - out.size());
  return out;
}

}  // namespace penstock::test
