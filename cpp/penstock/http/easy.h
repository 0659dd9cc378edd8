// One libcurl easy handle, set up for one try: what is asked, how, and whom its callbacks tell.
//
// Life:    begin() to the end of the transfer, then begin() again or die. The handle must be out of the multi
//          handle before either.
// Threads: the I/O thread only.
// Memory:  libcurl's buffers for bodies on their way: 256 KiB each, 512 with `bulk`, or as Wire says; no
//          larger than the body that is sent, but for libcurl's least.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <curl/curl.h>

#include "penstock/http/client.h"
#include "penstock/http/proxy.h"
#include "penstock/http/wire.h"

namespace penstock::http {

class Connections;

class Easy {
 public:
  // Told from inside libcurl. What must not happen there is adding or removing handles.
  class Events {
   public:
    enum class Took { all, pause, stop };
    virtual bool line_came(
        std::string_view line) = 0;  // of the head or of trailers; false stops the transfer
    virtual Took bytes_came(Bytes bytes) = 0;
    // How many were given; 0 is the end.
    static constexpr std::size_t kNotYet = CURL_READFUNC_PAUSE, kStop = CURL_READFUNC_ABORT;
    virtual std::size_t bytes_wanted(MutableBytes out) = 0;
    virtual bool sending_again(std::uint64_t offset) = 0;
    virtual bool about_to_send() = 0;  // false stops the transfer
    virtual void address_blocked() = 0;

   protected:
    ~Events() = default;
  };

  Easy(const ClientOptions& options, const Environment& environment, CURLSH* shared,
       Connections& connections);
  ~Easy();
  Easy(const Easy&) = delete;
  Easy& operator=(const Easy&) = delete;

  void begin(const Request& request, const Wire& wire, Events& events);
  CURL* handle() const { return handle_; }
  std::string_view error_text() const { return error_text_; }
  std::size_t receive_bytes() const { return receive_bytes_; }  // the most that comes at once
  std::size_t buffer_bytes() const { return receive_bytes_ + upload_bytes_; }
  bool reused_connection() const;
  bool tls_alerted() const { return tls_alerted_ && *tls_alerted_; }
  int socket() const;  // after the transfer: what went back to the pool, or -1

 private:
  void size_buffers(const Request& request, const Wire& wire);
  void set_common();
  void set_tls();
  void set_request(const Request& request, const Wire& wire);
  void set_method(const Request& request);
  void set_headers(const Request& request, const Wire& wire);
  void set_callbacks();
  void add_header(const std::string& line);
  static std::size_t on_line(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_bytes(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* data, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close(void* connections, curl_socket_t socket);
  static int on_ready(void* self, char* peer_ip, char* local_ip, int peer_port, int local_port);

  const ClientOptions& options_;
  const Environment& environment_;
  Connections& connections_;
  CURLSH* shared_;
  CURL* handle_;
  curl_slist* headers_ = nullptr;
  std::size_t most_bytes_, receive_bytes_, upload_bytes_ = 0;
  Events* events_ = nullptr;
  Wire wire_;
  std::string origin_;
  std::shared_ptr<bool> tls_alerted_;  // shared with the connection, which may outlive this
  char error_text_[CURL_ERROR_SIZE] = {};
};

}  // namespace penstock::http
