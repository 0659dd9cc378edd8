// TLS over a Socket, by OpenSSL: TLS 1.2 or newer, the host's certificate verified.
#pragma once

#include <memory>
#include <string>

#include "penstock/base/bytes.h"
#include "penstock/base/call.h"
#include "penstock/kv/socket.h"

struct ssl_ctx_st;
struct ssl_st;

namespace penstock::kv {

// What several connections share: the authorities that are trusted.
//
// Threads: shared freely.
class TlsContext {
 public:
  // `ca_bundle`: a PEM file; "": SSL_CERT_FILE, or the system's. Error(refused, code tls) if it cannot be
  // read.
  explicit TlsContext(const std::string& ca_bundle);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsStream;
  std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)> context_;
};

// Threads: one at a time. Failure: as Socket, and Error(refused, code tls) for a handshake that fails.
// OpenSSL works on memory: it would itself write to the socket without MSG_NOSIGNAL.
class TlsStream {
 public:
  TlsStream(const TlsContext& context, Socket& socket, const std::string& host, const Call& call);

  void write(Bytes bytes, const Call& call);
  std::size_t read(MutableBytes buffer, const Call& call);  // 0: the end
  bool is_quiet();                                          // as Socket, tickets and the like aside

 private:
  void shake_hands(const std::string& host, const Call& call);
  void flush(const Call& call);              // what OpenSSL wants to send
  bool fill(const Call& call);               // false: the end
  bool go_on(int result, const Call& call);  // whether to try again
  Socket& socket_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
};

}  // namespace penstock::kv
