#include "task_from.h"

#include <utility>

#include <pybind11/stl.h>

#include "penstock/base/units.h"

#include "convert.h"

namespace penstock::python {
namespace {

bool is_whole_number(py::handle value) {
  return py::isinstance<py::int_>(value) && !py::isinstance<py::bool_>(value);
}

// Gives the fields their places; the first that does not fit is what is wrong with the record.
class Record {
 public:
  Record(const py::dict& fields, std::string& wrong) : fields_(fields), wrong_(wrong) {}

  // Calls `give(value)` unless the field is absent or None.
  template <class Give>
  void take(const char* name, const char* must_be, Give give) {
    if (!fields_.contains(name)) return;
    const py::object value = fields_[name];
    if (value.is_none()) return;
    try {
      if (!give(value)) refuse(name, value, must_be);
    } catch (const py::cast_error&) {
      refuse(name, value, must_be);
    } catch (const Error& error) {
      refuse(std::string{name} + ": " + error.message());
    }
  }
  // None is not a value of such a field.
  void require(const char* name, const char* must_be) {
    if (fields_.contains(name) && py::object{fields_[name]}.is_none()) refuse(name, py::none(), must_be);
  }

  void take_text(const char* name, std::string& into) {
    take(name, "text", [&](const py::object& value) {
      if (!py::isinstance<py::str>(value)) return false;
      into = value.cast<std::string>();
      return true;
    });
  }
  void take_texts(const char* name, std::map<std::string, std::string>& into) {
    constexpr const char* kMustBe = "a mapping of text to text";
    require(name, kMustBe);
    take(name, kMustBe, [&](const py::object& value) {
      if (!py::isinstance<py::dict>(value)) return false;
      for (auto [key, text] : value.cast<py::dict>()) {
        if (!py::isinstance<py::str>(key) || !py::isinstance<py::str>(text)) return false;
        into.emplace(key.cast<std::string>(), text.cast<std::string>());
      }
      return true;
    });
  }
  template <class Number, class Place>
  void take_number(const char* name, Place& into) {
    take(name, "a whole number from 0 on", [&](const py::object& value) {
      if (!is_whole_number(value)) return false;
      into = value.cast<Number>();
      return true;
    });
  }
  void take_flag(const char* name, bool& into) {
    take(name, "True or False", [&](const py::object& value) {
      if (!py::isinstance<py::bool_>(value)) return false;
      into = value.cast<bool>();
      return true;
    });
  }

 private:
  // Says the type, not the value: a header's is secret.
  void refuse(const std::string& name, const py::object& value, const char* must_be) {
    const auto type = py::str(py::type::of(value).attr("__name__")).cast<std::string>();
    refuse(name + " must be " + must_be + (is_whole_number(value) ? ", not this " : ", not ") + type);
  }
  void refuse(std::string why) {
    if (wrong_.empty()) wrong_ = std::move(why);
  }

  const py::dict& fields_;
  std::string& wrong_;
};

// As wrong as it may be, a result must say which task it is of.
void take_id(Record& record, const char* name, std::string& into) {
  record.take(name, "text", [&](const py::object& value) {
    if (is_whole_number(value)) into = py::str(value).cast<std::string>();
    if (!py::isinstance<py::str>(value)) return false;
    into = value.cast<std::string>();
    return true;
  });
}

void take_mode(Record& record, files::FileTask& task) {
  std::string etag;
  record.take_text("if_match", etag);
  record.take("mode", "'overwrite' or 'create'", [&](const py::object& value) {
    task.mode = mode_from(value.cast<std::string>(), etag);
    return true;
  });
  record.take("on_exists", "'skip' or None", [&](const py::object& value) {
    check_one_of("on_exists", value.cast<std::string>(), {"skip"});
    return task.skip_existing = true;
  });
}

void take_limits(Record& record, files::FileTask& task) {
  record.take_number<std::uint64_t>("expected_bytes", task.expected_bytes);
  record.take(
      "max_bytes", "a whole number from 0 on, or a size such as '1GiB'", [&](const py::object& value) {
        if (!py::isinstance<py::str>(value) && !is_whole_number(value)) return false;
        task.max_bytes =
            is_whole_number(value) ? value.cast<std::uint64_t>() : parse_bytes(value.cast<std::string>());
        return true;
      });
  record.take("deadline", "seconds, a span such as '5m', or a timedelta", [&](const py::object& value) {
    if (!py::isinstance<py::float_>(value)) return false;
    task.deadline = milliseconds(value.cast<double>());
    return true;
  });
  record.take_number<int>("max_redirects", task.max_redirects);
}

void take_digests(Record& record, files::FileTask& task) {
  constexpr const char* kMustBe = "a sequence of names of algorithms";
  record.require("digests", kMustBe);
  record.take("digests", kMustBe, [&](const py::object& value) {
    if (!py::isinstance<py::list>(value) && !py::isinstance<py::tuple>(value)) return false;
    for (const auto& name : value) {
      if (!py::isinstance<py::str>(name)) return false;
      task.digests.push_back(parse_algorithm(name.cast<std::string>()));
    }
    return true;
  });
}

void take_headers(Record& record, files::FileTask& task) {
  std::map<std::string, std::string> headers;
  record.take_texts("headers", headers);
  for (const auto& [name, value] : headers) task.headers.add(name, value);
}

}  // namespace

files::FileTask task_from(const py::dict& fields) {
  files::FileTask task;
  Record record{fields, task.malformed};
  take_id(record, "task_id", task.task_id);
  take_id(record, "job_id", task.job_id);
  record.take_text("url", task.url);
  record.take_text("file_name", task.file_name);
  record.take_text("key", task.key);
  record.take_text("bucket", task.bucket);
  record.take_text("checksum", task.checksum);
  record.take_text("checksum_algorithm", task.checksum_algorithm);
  take_digests(record, task);
  take_limits(record, task);
  take_mode(record, task);
  for (auto [name, place] : {std::pair{"storage_class", &task.storage_class},
                             {"sse", &task.sse},
                             {"kms_key_id", &task.kms_key_id},
                             {"content_type", &task.content_type}})
    record.take_text(name, *place);
  record.take_texts("metadata", task.metadata);
  record.take_texts("tags", task.tags);
  take_headers(record, task);
  record.take_flag("allow_unframed", task.allow_unframed);
  record.take_flag("verify_headers", task.verify_headers);
  record.take_flag("relay", task.relay);
  return task;
}

}  // namespace penstock::python
