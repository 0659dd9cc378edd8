#include <chrono>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/aws/chain.h"
#include "penstock/aws/sign.h"

#include "await.h"
#include "bind.h"
#include "chain.h"

namespace penstock::python {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

aws::SignInput sign_input(const std::string& method, const std::string& url, const Pairs& headers,
                          std::string_view body, const std::string& service, const std::string& region,
                          double now, const std::string& payload, std::optional<bool> normalize) {
  aws::SignInput in;
  in.method = method;
  in.url = url;
  for (const auto& [name, value] : headers) in.headers.add(name, value);
  in.body = body;
  in.service = service;
  in.region = region;
  in.now = WallTime{std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(now))};
  in.payload = payload;
  in.normalize = normalize;
  return in;
}

py::tuple sign(const aws::Credentials& credentials, const std::string& method, const std::string& url,
               const Pairs& headers, const py::buffer& body, const std::string& service,
               const std::string& region, double now, const std::string& payload,
               std::optional<bool> normalize) {
  Borrowed held{body};
  const auto in =
      sign_input(method, url, headers, as_text(held.bytes()), service, region, now, payload, normalize);
  aws::SignedRequest out;
  {
    GilReleased release;
    out = aws::sign(in, credentials);
  }
  Pairs fields(out.headers.begin(), out.headers.end());
  return py::make_tuple(out.url, fields, out.canonical_request, out.string_to_sign, out.signature);
}

std::string presign(const aws::Credentials& credentials, const std::string& method, const std::string& url,
                    std::int64_t expires, const Pairs& headers, const py::buffer& body,
                    const std::string& service, const std::string& region, double now,
                    std::optional<bool> normalize) {
  Borrowed held{body};
  const auto in =
      sign_input(method, url, headers, as_text(held.bytes()), service, region, now, "auto", normalize);
  GilReleased release;
  return aws::presign(in, credentials, std::chrono::seconds{expires});
}

}  // namespace

void bind_aws(py::module_& core) {
  py::class_<aws::Credentials>(core, "Credentials", plain_type())
      .def(py::init([](std::string id, std::string secret, std::string token, std::optional<double> expires) {
             aws::Credentials made{.access_key_id = std::move(id),
                                   .secret_access_key = std::move(secret),
                                   .session_token = std::move(token),
                                   .source = "given"};
             if (expires)
               made.expires = WallTime{
                   std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(*expires))};
             return made;
           }),
           py::arg("access_key_id"), py::arg("secret_access_key"), py::arg("session_token") = "",
           py::arg("expires") = py::none())
      .def_readonly("access_key_id", &aws::Credentials::access_key_id)
      .def_readonly("source", &aws::Credentials::source)
      .def_readonly("anonymous", &aws::Credentials::anonymous)
      .def("_secret",
           [](const aws::Credentials& c) { return py::make_tuple(c.secret_access_key, c.session_token); });

  core.def("sign", &sign, py::arg("credentials"), py::arg("method"), py::arg("url"), py::arg("headers"),
           py::arg("body"), py::arg("service"), py::arg("region"), py::arg("now"), py::arg("payload"),
           py::arg("normalize"));
  core.def("presign", &presign, py::arg("credentials"), py::arg("method"), py::arg("url"), py::arg("expires"),
           py::arg("headers"), py::arg("body"), py::arg("service"), py::arg("region"), py::arg("now"),
           py::arg("normalize"));
  // What the chain finds: profile and given keys as S3Store takes them.
  core.def("find_credentials", [](const py::dict& options, const CallPointer& call) {
    auto inputs = chain_inputs(options);
    return blocking(call,
                    [&](const Call& c) { return aws::credentials_for(inputs, default_client())->wait(c); });
  });
  core.def("names_credentials",
           [](const py::dict& options) { return aws::names_a_source(chain_inputs(options)); });
  core.def("find_region", [](const py::dict& options) { return aws::region_for(chain_inputs(options)); });
  core.def("find_endpoint", [](const py::dict& options, const std::string& service) {
    return aws::endpoint_for(chain_inputs(options), service);
  });
}

}  // namespace penstock::python
