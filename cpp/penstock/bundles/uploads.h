// Who began multipart uploads for a bundle, written down before the first: what recovery aborts them by.
// Internal to the room.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/bundles/layout.h"

namespace penstock::bundles {

struct UploadNote {
  std::string bid{}, root{}, content{}, owner{}, written{};
};
std::string upload_note(std::string_view bid, const BundleKeys& keys);  // by this process, now
std::optional<UploadNote> parse_upload_note(std::string_view text);     // nullopt: it is none

}  // namespace penstock::bundles
