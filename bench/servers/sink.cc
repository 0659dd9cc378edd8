// The far end for benchmarks: an origin that serves bytes and an S3 that takes bytes and drops them.
//
// On two cores a real server's own hashing hides the client, so this one does nothing: bodies are discarded
// inside the kernel (MSG_TRUNC), parts are counted, not kept. What it does keep is the number of body bytes a
// key got, so that a peer which sends less is caught: GET /_taken answers {"bucket/key": bytes, ...}.
//
//   bench_sink [--port N] [--files FOLDER]   prints "port N", serves 127.0.0.1 until SIGTERM
//   GET  /bytes/SIZE/SEED          SIZE bytes, the same for the same SEED; strong ETag, Range `first-[last]`.
//                                  Also an object of the bucket "bytes". ?rate=R: so many bytes a second at
//                                  most, in pieces of 64 KiB
//   GET  /files/NAME               a file of FOLDER
//   PUT, POST, HEAD, DELETE /bucket/key...   the S3 verbs an upload needs
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr std::size_t kBlock = 1 << 20, kPacedPiece = 64 << 10;

// One random megabyte, twice, so that any rotation of it is contiguous.
const std::vector<char>& block() {
  static const std::vector<char> bytes = [] {
    std::vector<char> made(2 * kBlock);
    std::mt19937_64 random{7};
    for (std::size_t i = 0; i < kBlock; i += 8) {
      const std::uint64_t word = random();
      std::memcpy(&made[i], &word, 8);
    }
    std::memcpy(&made[kBlock], made.data(), kBlock);
    return made;
  }();
  return bytes;
}

class Taken {
 public:
  void add(const std::string& key, std::uint64_t bytes) {
    const std::lock_guard lock{mutex_};
    bytes_[key] += bytes;
  }
  void clear() {
    const std::lock_guard lock{mutex_};
    bytes_.clear();
  }
  std::string json() const {
    const std::lock_guard lock{mutex_};
    std::string text = "{";
    for (const auto& [key, bytes] : bytes_) {
      text += (text.size() > 1 ? ",\"" : "\"") + key + "\":" + std::to_string(bytes);
    }
    return text + "}";
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> bytes_;
};

Taken taken;
std::atomic<std::uint64_t> next_upload{1};
std::string files_folder;

struct Head {
  std::string method, path, query;
  std::uint64_t length = 0;
  std::uint64_t decoded_length = 0;  // of an aws-chunked body
  bool chunked = false, expects_continue = false, close = false, ranged = false;
  std::uint64_t first = 0, end = 0;  // end 0: the whole
};

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  void serve() {
    Head head;
    while (read_head(head) && answer(head) && !head.close) {
    }
  }

 private:
  bool fill() {
    char bytes[16384];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  bool read_head(Head& head) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (buffer_.size() > 65536 || !fill()) return false;
    }
    head = parse(std::string_view{buffer_}.substr(0, end + 2));
    buffer_.erase(0, end + 4);
    return true;
  }

  static Head parse(std::string_view text) {
    Head head;
    std::size_t at = text.find("\r\n");
    const std::string_view line = text.substr(0, at);
    head.method = line.substr(0, line.find(' '));
    std::string_view target = line.substr(head.method.size() + 1);
    target = target.substr(0, target.find(' '));
    head.path = target.substr(0, target.find('?'));
    if (head.path.size() < target.size()) head.query = target.substr(head.path.size() + 1);
    while ((at += 2) < text.size()) {
      const std::size_t end = text.find("\r\n", at);
      const std::size_t colon = text.find(':', at);
      const std::string name = lower(text.substr(at, colon - at));
      const std::string value{text.substr(std::min(colon + 2, end), end - std::min(colon + 2, end))};
      if (name == "content-length") head.length = std::strtoull(value.c_str(), nullptr, 10);
      if (name == "x-amz-decoded-content-length")
        head.decoded_length = std::strtoull(value.c_str(), nullptr, 10);
      if (name == "transfer-encoding") head.chunked = lower(value).find("chunked") != std::string::npos;
      if (name == "expect") head.expects_continue = true;
      if (name == "connection") head.close = lower(value) == "close";
      if (name == "range") {
        head.ranged = true;
        head.first = std::strtoull(value.c_str() + 6, nullptr, 10);
        const std::string last = value.substr(value.find('-') + 1);
        if (!last.empty()) head.end = std::strtoull(last.c_str(), nullptr, 10) + 1;
      }
      at = end;
    }
    return head;
  }

  // Drops `bytes` of body without copying them into this process.
  bool discard(std::uint64_t bytes) {
    const std::uint64_t held = std::min<std::uint64_t>(bytes, buffer_.size());
    buffer_.erase(0, held);
    bytes -= held;
    while (bytes > 0) {
      const ssize_t got = recv(fd_, nullptr, std::min<std::uint64_t>(bytes, kBlock), MSG_TRUNC);
      if (got <= 0) return false;
      bytes -= static_cast<std::uint64_t>(got);
    }
    return true;
  }

  bool read_line(std::string& line) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) {
      if (!fill()) return false;
    }
    line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return true;
  }

  // HTTP chunks; returns the bytes in them, or -1 on a broken stream.
  std::int64_t discard_chunks() {
    std::int64_t all = 0;
    for (std::string line; read_line(line);) {
      const std::uint64_t size = std::strtoull(line.c_str(), nullptr, 16);
      if (size == 0) {
        while (read_line(line) && !line.empty()) {
        }
        return all;
      }
      all += static_cast<std::int64_t>(size);
      if (!discard(size) || !read_line(line)) return -1;
    }
    return -1;
  }

  bool send_all(const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t sent = send(fd_, data, size, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data += sent;
      size -= static_cast<std::size_t>(sent);
    }
    return true;
  }

  bool reply(const std::string& status, const std::string& headers, const std::string& body = {}) {
    const std::string text = "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
                             "\r\nx-amz-request-id: 1\r\n" + headers + "\r\n" + body;
    return send_all(text.data(), text.size());
  }

  bool answer(const Head& head) {
    if (head.path.starts_with("/bytes/")) return serve_bytes(head);
    if (head.path.starts_with("/files/")) return serve_file(head.path.substr(7));
    if (head.path == "/_taken") return reply("200 OK", "", taken.json());
    if (head.path == "/_clear") {
      taken.clear();
      return reply("200 OK", "");
    }
    if (head.expects_continue && !send_all("HTTP/1.1 100 Continue\r\n\r\n", 25)) return false;
    std::uint64_t body = head.length;
    if (head.chunked) {
      const std::int64_t got = discard_chunks();
      if (got < 0) return false;
      body = static_cast<std::uint64_t>(got);
    } else if (!discard(head.length)) {
      return false;
    }
    return answer_s3(head, head.decoded_length > 0 ? head.decoded_length : body);
  }

  bool answer_s3(const Head& head, std::uint64_t body) {
    if (head.method == "PUT") {
      taken.add(head.path.substr(1), body);
      return reply("200 OK", "ETag: \"0123456789abcdef0123456789abcdef\"\r\n");
    }
    if (head.method == "POST" && head.query.starts_with("uploads")) {
      return reply("200 OK", "Content-Type: application/xml\r\n",
                   "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u" +
                       std::to_string(next_upload++) + "</UploadId></InitiateMultipartUploadResult>");
    }
    if (head.method == "POST") {
      return reply("200 OK", "Content-Type: application/xml\r\n",
                   "<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
                   "<ETag>\"0123456789abcdef0123456789abcdef-2\"</ETag></CompleteMultipartUploadResult>");
    }
    if (head.method == "DELETE") return reply("204 No Content", "");
    return reply(head.path.find('/', 1) == std::string::npos ? "200 OK" : "404 Not Found", "");
  }

  // /bytes/SIZE/SEED
  bool serve_bytes(const Head& head) {
    const std::uint64_t size = std::strtoull(head.path.c_str() + 7, nullptr, 10);
    const std::size_t slash = head.path.rfind('/');
    const std::uint64_t seed = std::strtoull(head.path.c_str() + slash + 1, nullptr, 10);
    const std::uint64_t first = head.first;
    const std::uint64_t end = head.end > 0 ? std::min(head.end, size) : size;
    std::string text = head.ranged
                           ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(first) +
                                 "-" + std::to_string(end - 1) + "/" + std::to_string(size) + "\r\n"
                           : "HTTP/1.1 200 OK\r\n";
    text += "Content-Length: " + std::to_string(end - first) + "\r\nETag: \"" + std::to_string(size) + "-" +
            std::to_string(seed) + "\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
            "Accept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n\r\n";
    if (!send_all(text.data(), text.size())) return false;
    if (head.method == "HEAD") return true;
    const std::uint64_t rate =
        head.query.starts_with("rate=") ? std::strtoull(head.query.c_str() + 5, nullptr, 10) : 0;
    const auto begun = std::chrono::steady_clock::now();
    for (std::uint64_t at = first; at < end;) {
      const std::size_t offset = (at + seed * 4099) % kBlock;
      const std::size_t some = std::min<std::uint64_t>(rate ? kPacedPiece : kBlock, end - at);
      if (!send_all(block().data() + offset, some)) return false;
      at += some;
      if (rate)
        std::this_thread::sleep_until(begun + std::chrono::microseconds{(at - first) * 1'000'000 / rate});
    }
    return true;
  }

  // /files/NAME
  bool serve_file(const std::string& name) {
    const int file = open((files_folder + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return reply("404 Not Found", "");
    struct stat about{};
    fstat(file, &about);
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(about.st_size) + "\r\n\r\n";
    bool sent = send_all(head.data(), head.size());
    for (off_t at = 0; sent && at < about.st_size;) sent = sendfile(fd_, file, &at, kBlock) > 0;
    close(file);
    return sent;
  }

  int fd_;
  std::string buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  int port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) port = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--files") == 0) files_folder = argv[i + 1];
  }
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 512) != 0) {
    std::perror("bench_sink: cannot listen on 127.0.0.1");
    return 1;
  }
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("port %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  block();
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) std::thread([fd] { Connection{fd}.serve(); }).detach();
  }
}
