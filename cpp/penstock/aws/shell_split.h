// A command line taken apart as a POSIX shell would, without running one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::aws {

// Words end at white space; '...' is literal; in "..." a backslash escapes only " and \; elsewhere it escapes
// anything. No comments, no variables, no wildcards: the rules of Python's shlex.split, by which the AWS CLI
// reads credential_process. Throws Error(refused) for an open quote or a last backslash; the message quotes
// nothing.
std::vector<std::string> shell_split(std::string_view line);

}  // namespace penstock::aws
