#include "support/certificates.h"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <utility>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

namespace penstock::test {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("cannot make a test certificate: ") + what);
}

template <class Write>
std::string to_pem(Write write) {
  BioPtr bio{BIO_new(BIO_s_mem())};
  must(write(bio.get()) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Certificate in_pem(X509* certificate, EVP_PKEY* key) {
  return {to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); }), to_pem([&](BIO* bio) {
            return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> extension{
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
  must(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

std::string alternative_names(const CertificateOptions& options) {
  std::string text;
  for (const auto& name : options.names) text += (text.empty() ? "DNS:" : ",DNS:") + name;
  for (const auto& address : options.addresses) text += (text.empty() ? "IP:" : ",IP:") + address;
  return text;
}

// A certificate for `key`, not yet signed.
X509Ptr blank(EVP_PKEY* key, const std::string& common_name, const CertificateOptions& options) {
  static std::atomic<long> serial{1};
  X509Ptr certificate{X509_new()};
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), options.valid_from.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), options.valid_until.count());
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  return certificate;
}

Certificate make(const std::string& common_name, const CertificateOptions& options, bool authority,
                 X509* issuer, EVP_PKEY* issuer_key) {
  Key key{EVP_EC_gen("P-256")};
  must(key != nullptr, "key");
  X509Ptr certificate = blank(key.get(), common_name, options);
  if (issuer == nullptr) issuer = certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  add_extension(certificate.get(), issuer, NID_basic_constraints,
                authority ? "critical,CA:TRUE" : "CA:FALSE");
  add_extension(certificate.get(), issuer, NID_subject_key_identifier, "hash");
  if (!authority) add_extension(certificate.get(), issuer, NID_subject_alt_name, alternative_names(options));
  must(X509_sign(certificate.get(), issuer_key ? issuer_key : key.get(), EVP_sha256()) > 0, "signature");
  return in_pem(certificate.get(), key.get());
}

}  // namespace

CertificateAuthority::CertificateAuthority() : ca_(make("penstock test CA", {}, true, nullptr, nullptr)) {}

Certificate CertificateAuthority::issue(const CertificateOptions& options) const {
  BioPtr certificate{
      BIO_new_mem_buf(ca_.certificate_pem.data(), static_cast<int>(ca_.certificate_pem.size()))};
  BioPtr key{BIO_new_mem_buf(ca_.key_pem.data(), static_cast<int>(ca_.key_pem.size()))};
  X509Ptr issuer{PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)};
  Key issuer_key{PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr)};
  must(issuer && issuer_key, "CA");
  return make("penstock test", options, false, issuer.get(), issuer_key.get());
}

Certificate self_signed(const CertificateOptions& options) {
  return make("penstock test", options, false, nullptr, nullptr);
}

TextFile::TextFile(const std::string& text) {
  char name[] = "/tmp/penstock-test-XXXXXX";
  const int file = ::mkstemp(name);
  must(file >= 0, "temporary file");
  path_ = name;
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  must(written, "temporary file");
}

TextFile::~TextFile() {
  ::unlink(path_.c_str());
}

}  // namespace penstock::test
