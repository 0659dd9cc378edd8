// Where systems keep the certificates of the authorities they trust.
#pragma once

#include <array>
#include <span>
#include <string>

namespace penstock::http {

inline constexpr std::array kTrustStores{
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Gentoo, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL, Amazon Linux
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora and RHEL, where the link above is gone
};

// The PEM file to trust where neither the caller nor the environment names one: "" while `built_in` is there,
// the place that the TLS library was built to read and reads by itself; else the first of `places`; "" if
// none is there. A wheel carries the libraries of one distribution to others, where `built_in` is missing.
std::string trust_store(const char* built_in, std::span<const char* const> places = kTrustStores);

}  // namespace penstock::http
