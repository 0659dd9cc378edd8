#include <tuple>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "penstock/sqs/client.h"

#include "await.h"
#include "bind.h"
#include "chain.h"

namespace penstock::python {
namespace {

// Text comes as the bytes of its UTF-8, so that the core judges what is none.
using AttributeParts = std::tuple<std::string, std::string, std::string>;  // name, type, value
using MessageParts = std::tuple<std::string, std::vector<AttributeParts>, std::optional<double>, std::string,
                                std::optional<std::string>>;  // body, attributes, delay, group_id, dedup_id

// Named here so that perform() finds their to_python().
struct Sent {
  sqs::Sent sent;
};
struct Received {
  std::vector<sqs::Received> messages;
};
struct SendReport {
  sqs::BatchReport report;
};
struct DeleteReport {
  sqs::BatchReport report;
};

template <class Value>
void take(const py::dict& options, const char* name, Value& into) {
  if (options.contains(name) && !options[name].is_none()) into = options[name].cast<Value>();
}

sqs::Config config_from(const py::dict& options) {
  sqs::Config config;
  take(options, "queue_url", config.queue_url);
  take(options, "region", config.region);
  take(options, "endpoint", config.endpoint);
  take(options, "max_message_bytes", config.max_message_bytes);
  config.credentials = chain_inputs(options);
  config.client = default_client();
  take(options, "client", config.client);
  return config;
}

std::chrono::seconds whole(double seconds) {
  return std::chrono::duration_cast<std::chrono::seconds>(milliseconds(seconds));
}

sqs::Message message_from(MessageParts parts) {
  auto& [body, attributes, delay, group_id, dedup_id] = parts;
  sqs::Message message{
      .body = std::move(body), .group_id = std::move(group_id), .dedup_id = std::move(dedup_id)};
  for (auto& [name, type, value] : attributes)
    message.attributes[std::move(name)] = {.value = std::move(value), .type = std::move(type)};
  if (delay) message.delay = whole(*delay);
  return message;
}

py::object classes(const char* name) {
  return py::module_::import("penstock.sqs").attr(name);
}

py::object to_python(const Sent& answer) {
  return classes("Sent")(py::arg("id") = text(answer.sent.id),
                         py::arg("sequence_number") = text(answer.sent.sequence_number));
}

py::object to_python(const sqs::Attribute& attribute) {
  const bool binary = attribute.type.starts_with("Binary");
  py::object value = binary ? py::object{py::bytes(attribute.value)} : py::object{text(attribute.value)};
  return classes("Attribute")(value, text(attribute.type));
}

py::object to_python(const Received& received) {
  py::list out;
  for (const sqs::Received& message : received.messages) {
    py::dict attributes, system;
    for (const auto& [name, attribute] : message.attributes) attributes[text(name)] = to_python(attribute);
    for (const auto& [name, value] : message.system) system[text(name)] = text(value);
    out.append(classes("Received")(py::arg("id") = text(message.id),
                                   py::arg("receipt_handle") = text(message.receipt_handle),
                                   py::arg("body") = text(message.body), py::arg("attributes") = attributes,
                                   py::arg("system") = system));
  }
  return out;
}

py::dict to_python(const std::map<std::size_t, Error>& errors) {
  py::dict out;
  for (const auto& [number, error] : errors) out[py::int_(number)] = python::to_python(error);
  return out;
}

py::object to_python(const SendReport& many) {
  py::dict sent;
  for (const auto& [number, one] : many.report.sent) sent[py::int_(number)] = to_python(Sent{one});
  return classes("BatchReport")(py::arg("sent") = sent, py::arg("errors") = to_python(many.report.errors));
}

py::object to_python(const DeleteReport& many) {
  return classes("DeleteReport")(py::arg("deleted") = many.report.sent.size(),
                                 py::arg("errors") = to_python(many.report.errors));
}

py::object send_many(const Queue& self, std::vector<MessageParts> messages, const CallPointer& state,
                     const py::object& loop) {
  std::vector<sqs::Message> all;
  all.reserve(messages.size());
  for (MessageParts& parts : messages) all.push_back(message_from(std::move(parts)));
  return perform(state, loop, [client = self.client, all = std::move(all)](const Call& call) {
    return SendReport{client->send_many(all, call)};
  });
}

py::object receive(const Queue& self, int max, double wait, std::optional<double> visibility,
                   const CallPointer& state, const py::object& loop) {
  sqs::ReceiveOptions options{.max = max, .wait = whole(wait)};
  if (visibility) options.visibility = whole(*visibility);
  return perform(state, loop, [client = self.client, options](const Call& call) {
    return Received{client->receive(options, call)};
  });
}

}  // namespace

void bind_sqs(py::module_& core) {
  const auto call = py::arg("call");
  const auto loop = py::arg("loop") = py::none();
  py::class_<Queue>(core, "Queue", plain_type())
      .def(py::init(
          [](const py::dict& options) { return Queue{std::make_shared<sqs::Client>(config_from(options))}; }))
      .def_property_readonly("fifo", [](const Queue& self) { return self.client->fifo(); })
      .def(
          "send",
          [](const Queue& self, MessageParts message, const CallPointer& state, const py::object& loop_) {
            return perform(state, loop_,
                           [client = self.client, one = message_from(std::move(message))](const Call& c) {
                             return Sent{client->send(one, c)};
                           });
          },
          py::arg("message"), call, loop)
      .def("send_many", &send_many, py::arg("messages"), call, loop)
      .def("receive", &receive, py::arg("max"), py::arg("wait"), py::arg("visibility"), call, loop)
      .def(
          "delete",
          [](const Queue& self, const std::string& handle, const CallPointer& state,
             const py::object& loop_) {
            return perform(state, loop_, [client = self.client, handle](const Call& c) {
              client->delete_message(handle, c);
            });
          },
          py::arg("receipt_handle"), call, loop)
      .def(
          "delete_many",
          [](const Queue& self, std::vector<std::string> handles, const CallPointer& state,
             const py::object& loop_) {
            return perform(state, loop_, [client = self.client, all = std::move(handles)](const Call& c) {
              return DeleteReport{client->delete_many(all, c)};
            });
          },
          py::arg("receipt_handles"), call, loop)
      .def(
          "change_visibility",
          [](const Queue& self, const std::string& handle, double visibility, const CallPointer& state,
             const py::object& loop_) {
            return perform(state, loop_, [client = self.client, handle, visibility](const Call& c) {
              client->change_visibility(handle, whole(visibility), c);
            });
          },
          py::arg("receipt_handle"), py::arg("visibility"), call, loop);
}

}  // namespace penstock::python
