// A zip whose one member is that very zip, byte for byte: whoever unpacks what is in an archive never ends.
#pragma once

#include <string>

namespace penstock::test {

std::string zip_of_itself();

}  // namespace penstock::test
