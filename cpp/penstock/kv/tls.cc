#include "penstock/kv/tls.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "penstock/base/error.h"
#include "penstock/http/trust_store.h"

namespace penstock::kv {
namespace {

// A record of TLS is 16 KiB at most.
constexpr std::size_t kStep = 16 * 1024;

Error tls_error(std::string message) {
  return {Kind::refused, std::move(message), {.doing = "connect", .code = std::string{code::kTls}}};
}

std::string last_words() {
  const unsigned long number = ERR_get_error();
  const char* words = number == 0 ? nullptr : ERR_reason_error_string(number);
  ERR_clear_error();
  return words ? words : "no reason given";
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// "" for what OpenSSL reads by itself: the environment's, and the places it was built with.
std::string ca_file(const std::string& ca_bundle) {
  const bool named = !ca_bundle.empty() || std::getenv(X509_get_default_cert_file_env()) ||
                     std::getenv(X509_get_default_cert_dir_env());
  return named ? ca_bundle : http::trust_store(X509_get_default_cert_dir());
}

}  // namespace

TlsContext::TlsContext(const std::string& ca_bundle)
    : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
  SSL_CTX* const context = context_.get();
  if (!context) throw std::bad_alloc{};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
  const std::string file = ca_file(ca_bundle);
  const bool read = file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                 : SSL_CTX_load_verify_file(context, file.c_str()) == 1;
  if (!read) throw tls_error(fmt::format("cannot read the certificates in {}: {}", file, last_words()));
}

TlsContext::~TlsContext() = default;

TlsStream::TlsStream(const TlsContext& context, Socket& socket, const std::string& host, const Call& call)
    : socket_(socket), ssl_(SSL_new(context.context_.get()), &SSL_free) {
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  if (!ssl_ || !in || !out) {
    BIO_free(in);
    BIO_free(out);
    throw std::bad_alloc{};
  }
  SSL_set_bio(ssl_.get(), in, out);  // owns both now
  shake_hands(host, call);
}

void TlsStream::shake_hands(const std::string& host, const Call& call) {
  SSL* const ssl = ssl_.get();
  const bool set = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1
                                    : SSL_set1_host(ssl, host.c_str()) == 1 &&
                                          SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (!set) throw tls_error(fmt::format("{} is no name a certificate can be for", host));
  SSL_set_connect_state(ssl);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl);
    if (result == 1) return flush(call);
    if (SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ) {
      flush(call);
      if (fill(call)) continue;
      throw tls_error(fmt::format("{} hung up during the TLS handshake: does it speak TLS?", host));
    }
    const long verdict = SSL_get_verify_result(ssl);
    const std::string why = verdict == X509_V_OK ? last_words() : X509_verify_cert_error_string(verdict);
    throw tls_error(fmt::format("no TLS with {}: {}", host, why));
  }
}

void TlsStream::flush(const Call& call) {
  BIO* const out = SSL_get_wbio(ssl_.get());
  std::array<std::byte, kStep> buffer;
  for (int got; (got = BIO_read(out, buffer.data(), static_cast<int>(buffer.size()))) > 0;)
    socket_.write(Bytes{buffer}.first(static_cast<std::size_t>(got)), call);
}

bool TlsStream::fill(const Call& call) {
  std::array<std::byte, kStep> buffer;
  const std::size_t got = socket_.read(buffer, call);
  if (got == 0) return false;
  if (BIO_write(SSL_get_rbio(ssl_.get()), buffer.data(), static_cast<int>(got)) != static_cast<int>(got))
    throw std::bad_alloc{};
  return true;
}

bool TlsStream::go_on(int result, const Call& call) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      flush(call);
      return fill(call);
    case SSL_ERROR_ZERO_RETURN:
      return false;
    default:
      throw Error{Kind::lost, "TLS failed: " + last_words(), {.code = std::string{code::kTls}}};
  }
}

void TlsStream::write(Bytes bytes, const Call& call) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const int result = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min(bytes.size(), kStep)));
    if (result > 0) {
      flush(call);
      bytes = bytes.subspan(static_cast<std::size_t>(result));
    } else if (!go_on(result, call)) {
      throw Error{Kind::lost, "the server closed the connection", {.code = std::string{kClosed}}};
    }
  }
}

std::size_t TlsStream::read(MutableBytes buffer, const Call& call) {
  const int size = static_cast<int>(std::min(buffer.size(), kStep));
  for (;;) {
    ERR_clear_error();
    const int result = SSL_read(ssl_.get(), buffer.data(), size);
    if (result > 0) return static_cast<std::size_t>(result);
    if (!go_on(result, call)) return 0;
  }
}

bool TlsStream::is_quiet() {
  const Call now{.deadline = Deadline{SteadyTime{}}};  // what is not there at once is not waited for
  std::byte byte;
  for (;;) {
    ERR_clear_error();
    const int result = SSL_peek(ssl_.get(), &byte, 1);
    if (result > 0 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return false;
    if (socket_.is_quiet()) return true;
    if (!fill(now)) return false;
  }
}

}  // namespace penstock::kv
