#include "penstock/http/easy.h"

#include <algorithm>
#include <new>

#include <sys/socket.h>
#include <unistd.h>

#include "penstock/http/connections.h"
#include "penstock/http/tls_alerts.h"
#include "penstock/http/trust_store.h"

namespace penstock::http {
namespace {

// Of bodies on their way. Downloading, hashing and uploading 2 GiB took 4.9 CPU seconds with 64 KiB, 5.1 with
// 128, 4.6 with 256, 4.9 with 512 (medians of 3 on two cores of an EPYC with 512 KiB of L2 cache each, which
// were busy otherwise; the bare libcurl loop took 3.8).
constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kBulkBufferBytes = 512 * 1024;
constexpr std::size_t kAnswerBytes = 64 * 1024;  // of bodies that are kept whole: listings, errors
constexpr std::size_t kLeastBytes = 16 * 1024;   // libcurl's own
constexpr long kExpectWaitMs = 1000;
constexpr std::uint64_t kExpectBytes = 1_MiB;

long milliseconds_of(std::chrono::milliseconds span) {
  return static_cast<long>(span.count());
}

long seconds_of(std::chrono::milliseconds span) {
  return static_cast<long>(std::chrono::ceil<std::chrono::seconds>(span).count());
}

// ca_bundle=, AWS_CA_BUNDLE, SSL_CERT_FILE, the system's; "" for what libcurl reads by itself.
std::string ca_file(const ClientOptions& options, const Environment& environment) {
  if (!options.ca_bundle.empty()) return options.ca_bundle;
  for (const char* name : {"AWS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (const char* value = environment(name); value && *value) return value;
  }
  const curl_version_info_data& built = *curl_version_info(CURLVERSION_NOW);
  return trust_store(built.cainfo ? built.cainfo : built.capath);
}

bool carried_by_us(std::string_view name) {
  return same_name(name, "content-length") || same_name(name, "transfer-encoding") ||
         same_name(name, "expect");
}

}  // namespace

Easy::Easy(const ClientOptions& options, const Environment& environment, CURLSH* shared,
           Connections& connections)
    : options_(options),
      environment_(environment),
      connections_(connections),
      shared_(shared),
      handle_(curl_easy_init()),
      most_bytes_(options.bulk ? kBulkBufferBytes : kBufferBytes),
      receive_bytes_(most_bytes_) {
  if (!handle_) throw std::bad_alloc{};
}

Easy::~Easy() {
  curl_easy_cleanup(handle_);
  curl_slist_free_all(headers_);
}

void Easy::begin(const Request& request, const Wire& wire, Events& events) {
  events_ = &events;
  wire_ = wire;
  origin_ = wire.url.origin();
  error_text_[0] = '\0';
  size_buffers(request, wire);
  curl_easy_reset(handle_);
  set_common();
  if (wire.url.scheme == "https") set_tls();
  set_request(request, wire);
  set_callbacks();
}

void Easy::size_buffers(const Request& request, const Wire& wire) {
  receive_bytes_ = wire.ring_bytes > 0 ? std::min(most_bytes_, wire.ring_bytes) : kAnswerBytes;
  if (wire.receive_bytes > 0)
    receive_bytes_ = std::min(receive_bytes_, std::max(wire.receive_bytes, kLeastBytes));
  upload_bytes_ = 0;  // libcurl takes none before it has something to send
  if (!request.body || request.body->size() == 0) return;
  const std::size_t most = wire.upload_bytes > 0 ? wire.upload_bytes : most_bytes_;
  upload_bytes_ = std::max<std::size_t>(std::min<std::uint64_t>(request.body->size(), most), kLeastBytes);
}

void Easy::set_common() {
  curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle_, CURLOPT_NOPROGRESS, 1L);
  curl_easy_setopt(handle_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle_, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  curl_easy_setopt(handle_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // Else removing a handle that still resolves joins the thread that sits in getaddrinfo.
  curl_easy_setopt(handle_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(handle_, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(handle_, CURLOPT_BUFFERSIZE, static_cast<long>(receive_bytes_));
  curl_easy_setopt(handle_, CURLOPT_UPLOAD_BUFFERSIZE,
                   static_cast<long>(std::max(upload_bytes_, kLeastBytes)));
  curl_easy_setopt(handle_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds_of(options_.connect));
  curl_easy_setopt(handle_, CURLOPT_DNS_CACHE_TIMEOUT, seconds_of(options_.dns_cache));
  curl_easy_setopt(handle_, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
  curl_easy_setopt(handle_, CURLOPT_MAXLIFETIME_CONN, seconds_of(options_.connection_life));
  curl_easy_setopt(handle_, CURLOPT_MAXAGE_CONN, seconds_of(options_.idle_connection));
  curl_easy_setopt(handle_, CURLOPT_EXPECT_100_TIMEOUT_MS, kExpectWaitMs);
  curl_easy_setopt(handle_, CURLOPT_SHARE, shared_);
  curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, error_text_);
}

void Easy::set_tls() {
  curl_easy_setopt(handle_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const long verify = options_.insecure_skip_verify ? 0L : 1L;
  tls_alerted_ = std::make_shared<bool>(false);
  curl_easy_setopt(handle_, CURLOPT_SSL_CTX_FUNCTION, &watch_tls_alerts);
  curl_easy_setopt(handle_, CURLOPT_SSL_CTX_DATA, &tls_alerted_);
  curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYPEER, verify);
  curl_easy_setopt(handle_, CURLOPT_SSL_VERIFYHOST, verify * 2);
  if (const std::string file = ca_file(options_, environment_); !file.empty()) {
    curl_easy_setopt(handle_, CURLOPT_CAINFO, file.c_str());
    curl_easy_setopt(handle_, CURLOPT_CAPATH, nullptr);
  }
}

void Easy::set_request(const Request& request, const Wire& wire) {
  curl_easy_setopt(handle_, CURLOPT_URL, wire.url.text().c_str());
  // Always both: an empty proxy keeps libcurl from reading the environment, which has been read already.
  curl_easy_setopt(handle_, CURLOPT_PROXY, wire.proxy.c_str());
  curl_easy_setopt(handle_, CURLOPT_NOPROXY, "");
  set_method(request);
  set_headers(request, wire);
}

void Easy::set_method(const Request& request) {
  const bool has_body = request.body != nullptr;
  const auto size = static_cast<curl_off_t>(has_body ? request.body->size() : 0);
  if (request.method == "HEAD") {
    curl_easy_setopt(handle_, CURLOPT_NOBODY, 1L);
  } else if (request.method == "POST") {
    curl_easy_setopt(handle_, CURLOPT_POST, 1L);
    curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, size);
    if (size == 0) curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, "");
  } else if (has_body || request.method == "PUT") {
    curl_easy_setopt(handle_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle_, CURLOPT_INFILESIZE_LARGE, size);
    if (request.method != "PUT") curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    curl_easy_setopt(handle_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void Easy::set_headers(const Request& request, const Wire& wire) {
  curl_slist_free_all(headers_);
  headers_ = nullptr;
  for (const auto& [name, value] : request.headers) {
    if (carried_by_us(name)) continue;
    add_header(value.empty() ? name + ";" : name + ": " + value);
  }
  if (!request.headers.has("accept-encoding")) add_header("Accept-Encoding: identity");
  if (!request.headers.has("user-agent")) add_header("User-Agent: " + options_.user_agent);
  if (!request.headers.has("content-type")) add_header("Content-Type:");
  // libcurl would ask before any PUT, however small.
  const bool large = request.body && request.body->size() >= kExpectBytes;
  if (!wire.expect_continue || !large) add_header("Expect:");
  curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, headers_);
}

void Easy::add_header(const std::string& line) {
  curl_slist* longer = curl_slist_append(headers_, line.c_str());
  if (!longer) throw std::bad_alloc{};
  headers_ = longer;
}

void Easy::set_callbacks() {
  curl_easy_setopt(handle_, CURLOPT_HEADERFUNCTION, &Easy::on_line);
  curl_easy_setopt(handle_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, &Easy::on_bytes);
  curl_easy_setopt(handle_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(handle_, CURLOPT_READFUNCTION, &Easy::on_read);
  curl_easy_setopt(handle_, CURLOPT_READDATA, this);
  curl_easy_setopt(handle_, CURLOPT_SEEKFUNCTION, &Easy::on_seek);
  curl_easy_setopt(handle_, CURLOPT_SEEKDATA, this);
  curl_easy_setopt(handle_, CURLOPT_OPENSOCKETFUNCTION, &Easy::on_open);
  curl_easy_setopt(handle_, CURLOPT_OPENSOCKETDATA, this);
  // Connections outlive the handle that opened them, so their end is told to what outlives it too.
  curl_easy_setopt(handle_, CURLOPT_CLOSESOCKETFUNCTION, &Easy::on_close);
  curl_easy_setopt(handle_, CURLOPT_CLOSESOCKETDATA, &connections_);
  curl_easy_setopt(handle_, CURLOPT_PREREQFUNCTION, &Easy::on_ready);
  curl_easy_setopt(handle_, CURLOPT_PREREQDATA, this);
}

bool Easy::reused_connection() const {
  long made = 0;
  curl_easy_getinfo(handle_, CURLINFO_NUM_CONNECTS, &made);
  return made == 0;
}

int Easy::socket() const {
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl_easy_getinfo(handle_, CURLINFO_ACTIVESOCKET, &socket);
  return socket;
}

std::size_t Easy::on_line(char* data, std::size_t size, std::size_t count, void* self) {
  const bool go_on = static_cast<Easy*>(self)->events_->line_came({data, size * count});
  return go_on ? size * count : 0;
}

std::size_t Easy::on_bytes(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  switch (static_cast<Easy*>(self)->events_->bytes_came(as_bytes({data, bytes}))) {
    case Events::Took::all:
      return bytes;
    case Events::Took::pause:
      return CURL_WRITEFUNC_PAUSE;
    case Events::Took::stop:
      break;
  }
  return CURL_WRITEFUNC_ERROR;
}

std::size_t Easy::on_read(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Easy*>(self)->events_->bytes_wanted({reinterpret_cast<std::byte*>(data), size * count});
}

int Easy::on_seek(void* self, curl_off_t offset, int origin) {
  auto& easy = *static_cast<Easy*>(self);
  if (origin != SEEK_SET || !easy.wire_.may_repeat) return CURL_SEEKFUNC_FAIL;
  return easy.events_->sending_again(static_cast<std::uint64_t>(offset)) ? CURL_SEEKFUNC_OK
                                                                         : CURL_SEEKFUNC_FAIL;
}

curl_socket_t Easy::on_open(void* self, curlsocktype purpose, curl_sockaddr* address) {
  auto& easy = *static_cast<Easy*>(self);
  if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
  if (easy.wire_.guard_applies && !easy.wire_.guard.allows(address->addr)) {
    easy.events_->address_blocked();
    return CURL_SOCKET_BAD;
  }
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  easy.connections_.opened(fd, easy.origin_);
  return fd;
}

int Easy::on_close(void* connections, curl_socket_t socket) {
  // First out of the table: a fork in between then leaks a socket instead of closing a stranger's file.
  static_cast<Connections*>(connections)->closed(socket);
  return ::close(socket);
}

// A reused connection may have been opened under a laxer policy, so the guard looks again here.
int Easy::on_ready(void* self, char* peer_ip, char*, int, int local_port) {
  auto& easy = *static_cast<Easy*>(self);
  if (*peer_ip == '\0') return CURL_PREREQFUNC_ABORT;  // reset since it was made: nobody is at its other end
  if (easy.wire_.guard_applies && !easy.wire_.guard.allows(std::string_view(peer_ip))) {
    easy.events_->address_blocked();
    return CURL_PREREQFUNC_ABORT;
  }
  easy.connections_.taken(static_cast<std::uint16_t>(local_port));
  return easy.events_->about_to_send() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

}  // namespace penstock::http
