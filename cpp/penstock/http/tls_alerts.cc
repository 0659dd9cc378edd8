#include "penstock/http/tls_alerts.h"

#include <memory>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace penstock::http {
namespace {

using Seen = std::shared_ptr<bool>;

void forget(void*, void* held, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Seen*>(held);
}

int place() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, &forget);
  return index;
}

// What OpenSSL objects to stands in its queue when a handshake step ends badly; a cut leaves nothing there,
// or says that the end came early.
bool objected() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) != SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

void note(const SSL* connection, int where, int result) {
  if (SSL_is_init_finished(connection)) return;
  const bool alert = (where & SSL_CB_ALERT) != 0;
  const bool failed = (where & SSL_CB_EXIT) != 0 && result <= 0 && objected();
  if (!alert && !failed) return;
  const auto* seen = static_cast<Seen*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), place()));
  if (seen) **seen = true;
}

bool on_openssl() {
  static const bool is = [] {
    const char* name = curl_version_info(CURLVERSION_NOW)->ssl_version;
    return name && std::string_view(name).starts_with("OpenSSL");
  }();
  return is;
}

}  // namespace

CURLcode watch_tls_alerts(CURL*, void* context, void* seen) {
  if (!on_openssl()) return CURLE_OK;
  auto* openssl = static_cast<SSL_CTX*>(context);
  auto held = std::make_unique<Seen>(*static_cast<Seen*>(seen));
  if (SSL_CTX_set_ex_data(openssl, place(), held.get()) != 1) return CURLE_OUT_OF_MEMORY;
  held.release();
  SSL_CTX_set_info_callback(openssl, &note);
  return CURLE_OK;
}

}  // namespace penstock::http
