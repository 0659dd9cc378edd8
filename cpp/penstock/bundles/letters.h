// Which characters are letters or digits, of any script.
#pragma once

namespace penstock::bundles {

// As Python's str.isalnum has it.
bool is_alphanumeric(char32_t c);

}  // namespace penstock::bundles
