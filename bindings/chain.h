// Keyword arguments as the inputs of the credential chain.
#pragma once

#include <pybind11/pybind11.h>

#include "penstock/aws/credentials.h"

namespace penstock::python {

// access_key_id, secret_access_key, session_token; credentials (a callable that returns an object with those
// three); anonymous; profile; mfa (a callable that is given a device's serial and returns its code). GIL
// held.
aws::ChainInputs chain_inputs(const pybind11::dict& options);

}  // namespace penstock::python
