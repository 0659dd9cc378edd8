// Certificates made at run time, for tests of TLS: right, for the wrong host, expired, signed by nobody.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace penstock::test {

struct Certificate {
  std::string certificate_pem, key_pem;
};

struct CertificateOptions {
  std::vector<std::string> names{"localhost"};      // DNS names
  std::vector<std::string> addresses{"127.0.0.1"};  // IP addresses
  std::chrono::seconds valid_from{-3600};           // from now
  std::chrono::seconds valid_until{3600};
};

// A self-signed CA with an EC key, valid for an hour either side of now.
class CertificateAuthority {
 public:
  CertificateAuthority();
  const std::string& pem() const { return ca_.certificate_pem; }  // for ca_bundle
  Certificate issue(const CertificateOptions& options = {}) const;

 private:
  Certificate ca_;
};

// Signed by itself: no CA bundle vouches for it.
Certificate self_signed(const CertificateOptions& options = {});

// A file that is there as long as the object is.
class TextFile {
 public:
  explicit TextFile(const std::string& text);
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace penstock::test
