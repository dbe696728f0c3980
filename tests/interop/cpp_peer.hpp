// What the C++ peers share: their command lines, and looks into calls.
#ifndef TEST_INTEROP_CPP_PEER_HPP
#define TEST_INTEROP_CPP_PEER_HPP

#include "tests/interop/test_service.grpc.pb.h"

#include <fstream>
#include <grpcpp/grpcpp.h>
#include <map>
#include <sstream>
#include <string>
#include <vector>

// Exported by gRPC's core for tests, declared in none of its public headers.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

namespace grpc::testing
{

// As the core marks a message that came compressed and has been decompressed.
constexpr uint32_t kMessageWasCompressed = 0x40000000u;

// gRPC lets classes of these names look into its contexts.
class InteropServerContextInspector
{
  public:
    static bool WasCompressed(const ServerContextBase &context)
    {
        return (grpc_call_test_only_get_message_flags(context.call_.call) &
                       kMessageWasCompressed) != 0;
    }
};

class InteropClientContextInspector
{
  public:
    static bool WasCompressed(const ClientContext &context)
    {
        return (grpc_call_test_only_get_message_flags(context.call_) &
                       kMessageWasCompressed) != 0;
    }
};

} // namespace grpc::testing

namespace peer
{

// The values of "--name=value" and "--name value", in their order.
using Options = std::map<std::string, std::vector<std::string>>;

inline Options
ParseOptions(int argc, char **argv)
{
    Options options;

    for (int i = 1; i < argc; i++) {
        std::string word(argv[i]);
        size_t equals = word.find('=');

        if (equals != std::string::npos) {
            options[word.substr(2, equals - 2)].push_back(
                    word.substr(equals + 1));
        } else if (i + 1 < argc) {
            options[word.substr(2)].push_back(argv[++i]);
        }
    }
    return options;
}

inline std::string
GetOption(const Options &options, const std::string &name)
{
    auto found = options.find(name);

    return found == options.end() ? "" : found->second.back();
}

inline std::string
ReadFile(const std::string &path)
{
    std::ifstream file(path);
    std::stringstream text;

    text << file.rdbuf();
    return text.str();
}

} // namespace peer

#endif
