#include "penstock/base/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "penstock/base/error.h"
#include "penstock/base/units.h"

namespace penstock {
namespace {

Error unreadable(const std::string& why) {
  return {Kind::corrupt, "the JSON document " + why, {.doing = "read JSON"}};
}

// Looked at before anything is built: whoever walks the value may recurse as deep as it is nested.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::size_t max_depth, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    throw unreadable(fmt::format("is over {}", format_bytes(max_bytes)));
  }
  if (depth_of(text) > max_depth) throw unreadable(fmt::format("is nested over {} deep", max_depth));
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw unreadable(fmt::format("is not valid at byte {}", error.byte));
  } catch (const nlohmann::json::exception&) {
    throw unreadable("holds a number that is out of range");
  }
}

std::string text_at(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

}  // namespace penstock
