// Header fields in the order they came; names compare without case.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::http {

class Headers {
 public:
  using Field = std::pair<std::string, std::string>;
  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  std::optional<std::string_view> find(std::string_view name) const;  // the first
  std::string_view get(std::string_view name) const;                  // "" if absent
  bool has(std::string_view name) const { return find(name).has_value(); }
  std::vector<std::string_view> all(std::string_view name) const;
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);  // replaces all of that name
  void remove(std::string_view name);
  bool empty() const { return fields_.empty(); }
  std::size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

bool same_name(std::string_view a, std::string_view b);  // ASCII case ignored

// RFC 9110: the name a token; the value without CR, LF, NUL and control characters (TAB allowed).
// Throws Error(refused) naming the header, never its value. libcurl filters nothing, so every request passes
// here.
void check_header(std::string_view name, std::string_view value);

}  // namespace penstock::http
