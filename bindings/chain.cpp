#include "chain.h"

#include <pybind11/stl.h>

#include "errors.h"
#include "gil.h"

namespace penstock::python {
namespace {

std::string text(const py::dict& options, const char* name) {
  return options.contains(name) && !options[name].is_none() ? options[name].cast<std::string>()
                                                            : std::string{};
}

aws::Credentials from_python(const py::object& given) {
  return py::module_::import("penstock.aws").attr("_to_core")(given).cast<aws::Credentials>();
}

}  // namespace

aws::ChainInputs chain_inputs(const py::dict& options) {
  auto inputs = aws::ChainInputs::from_process();
  inputs.profile = text(options, "profile");
  if (options.contains("mfa") && !options["mfa"].is_none())
    inputs.mfa = [callable = Kept{options["mfa"]}](const std::string& serial) {  // called on a worker
      GilHeld gil;
      return raising_ours([&] { return (*callable)(serial).cast<std::string>(); });
    };
  inputs.anonymous = options.contains("anonymous") && options["anonymous"].cast<bool>();
  if (const auto id = text(options, "access_key_id"); !id.empty())
    inputs.given = aws::Credentials{.access_key_id = id,
                                    .secret_access_key = text(options, "secret_access_key"),
                                    .session_token = text(options, "session_token"),
                                    .source = "given"};
  if (options.contains("credentials") && !options["credentials"].is_none()) {
    py::object given = options["credentials"];
    if (!PyCallable_Check(given.ptr())) {
      inputs.given = from_python(given);
    } else {
      inputs.callable = [callable = Kept{given}] {  // called on a worker
        GilHeld gil;
        return raising_ours([&] { return from_python((*callable)()); });
      };
    }
  }
  return inputs;
}

}  // namespace penstock::python
