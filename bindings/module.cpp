// penstock._core: the rooms' classes as the Python package uses them. The public names, their docstrings and
// their defaults are in python/penstock/; nothing here decides anything.
#include <pybind11/pybind11.h>

#include "bind.h"
#include "call_state.h"
#include "errors.h"
#include "runtime.h"

namespace penstock::python {

PYBIND11_MODULE(_core, core) {
  core.attr("__version__") = PENSTOCK_VERSION;
  remember_main_thread();
  register_errors(core);  // before whatever may throw
  bind_base(core);
  bind_streams(core);  // Source and Sink: codecs and store need them
  bind_codecs(core);
  bind_store(core);  // Store: s3 and files need it
  bind_http(core);
  bind_aws(core);
  bind_s3(core);
  bind_sqs(core);
  bind_kv(core);
  bind_files(core);
  bind_metrics(core);
  bind_bid(core);
  bind_bundle(core);  // needs Source
  bind_bundles(core);
  bind_unpack(core);
  bind_bundle_zip(core);  // needs Bundle and BundleGroup

  // The package registers both: atexit and os.register_at_fork.
  core.def("_shutdown", [] {
    Runtime::shutdown();
    close_default_client();
  });
  core.def("_after_fork_in_child", [] {
    Runtime::after_fork_in_child();
    forget_file_metrics();
    remember_main_thread();
  });
}

}  // namespace penstock::python
