// grpc.testing.TestService on gRPC C++, for our client to meet.
//
//     cpp_server --port-file FILE [--cert_file FILE --key_file FILE]
//
// Serves on a free port of 127.0.0.1, which it writes to the file, until it is
// killed.
#include "tests/interop/cpp_peer.hpp"

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

namespace grpc::testing
{
namespace
{

constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";

void
EchoMetadata(ServerContext *context)
{
    const auto &metadata = context->client_metadata();
    auto initial = metadata.find(kEchoInitial);
    auto trailing = metadata.find(kEchoTrailing);

    if (initial != metadata.end()) {
        context->AddInitialMetadata(kEchoInitial,
                std::string(initial->second.data(), initial->second.size()));
    }
    if (trailing != metadata.end()) {
        context->AddTrailingMetadata(kEchoTrailing,
                std::string(trailing->second.data(), trailing->second.size()));
    }
}

// Whether a request that should have come compressed did not.
bool
IsWronglyPlain(const ServerContext &context, bool expected)
{
    return expected && !InteropServerContextInspector::WasCompressed(context);
}

Status
WronglyPlain()
{
    return Status(StatusCode::INVALID_ARGUMENT,
            "the message should have come compressed");
}

Status
StatusOf(const EchoStatus &status)
{
    return Status(static_cast<StatusCode>(status.code()), status.message());
}

class TestServiceImpl final : public TestService::Service
{
  public:
    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override
    {
        EchoMetadata(context);
        return Status::OK;
    }

    Status UnaryCall(ServerContext *context, const SimpleRequest *request,
            SimpleResponse *response) override
    {
        EchoMetadata(context);
        if (IsWronglyPlain(*context, request->expect_compressed().value())) {
            return WronglyPlain();
        }
        if (request->has_response_status()) {
            return StatusOf(request->response_status());
        }
        if (request->response_compressed().value()) {
            context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        }
        if (request->fill_server_id()) {
            response->set_server_id("cpp");
        }
        response->mutable_payload()->set_body(
                std::string(request->response_size(), '\0'));
        return Status::OK;
    }

    Status StreamingOutputCall(ServerContext *context,
            const StreamingOutputCallRequest *request,
            ServerWriter<StreamingOutputCallResponse> *writer) override
    {
        EchoMetadata(context);
        context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        Play(*request, writer);
        return Status::OK;
    }

    Status StreamingInputCall(ServerContext *context,
            ServerReader<StreamingInputCallRequest> *reader,
            StreamingInputCallResponse *response) override
    {
        StreamingInputCallRequest request;
        int sum = 0;

        EchoMetadata(context);
        while (reader->Read(&request)) {
            if (IsWronglyPlain(*context, request.expect_compressed().value())) {
                return WronglyPlain();
            }
            sum += static_cast<int>(request.payload().body().size());
        }
        response->set_aggregated_payload_size(sum);
        return Status::OK;
    }

    Status FullDuplexCall(ServerContext *context,
            ServerReaderWriter<StreamingOutputCallResponse,
                    StreamingOutputCallRequest> *stream) override
    {
        StreamingOutputCallRequest request;

        EchoMetadata(context);
        while (stream->Read(&request)) {
            if (request.has_response_status()) {
                return StatusOf(request.response_status());
            }
            Play(request, stream);
        }
        return Status::OK;
    }

  private:
    template <typename Writer>
    static void Play(const StreamingOutputCallRequest &request, Writer *writer)
    {
        for (const ResponseParameters &parameters :
                request.response_parameters()) {
            StreamingOutputCallResponse response;
            WriteOptions options;

            if (!parameters.compressed().value()) {
                options.set_no_compression();
            }
            std::this_thread::sleep_for(
                    std::chrono::microseconds(parameters.interval_us()));
            response.mutable_payload()->set_body(
                    std::string(parameters.size(), '\0'));
            if (!writer->Write(response, options)) {
                return;
            }
        }
    }
};

std::shared_ptr<ServerCredentials>
MakeCredentials(const peer::Options &options)
{
    SslServerCredentialsOptions ssl;
    std::string cert_file = peer::GetOption(options, "cert_file");

    if (cert_file.empty()) {
        return InsecureServerCredentials();
    }
    ssl.pem_key_cert_pairs.push_back(
            {peer::ReadFile(peer::GetOption(options, "key_file")),
                    peer::ReadFile(cert_file)});
    return SslServerCredentials(ssl);
}

// The name appears once the file is whole.
bool
WritePort(const std::string &path, int port)
{
    std::string draft = path + ".new";

    {
        std::ofstream file(draft);

        file << port << "\n";
    }
    return std::rename(draft.c_str(), path.c_str()) == 0;
}

int
Main(int argc, char **argv)
{
    peer::Options options = peer::ParseOptions(argc, argv);
    TestServiceImpl service;
    ServerBuilder builder;
    int port = 0;

    builder.AddListeningPort("127.0.0.1:0", MakeCredentials(options), &port);
    builder.RegisterService(&service);
    std::unique_ptr<Server> server = builder.BuildAndStart();
    if (server == nullptr ||
            !WritePort(peer::GetOption(options, "port-file"), port)) {
        std::fprintf(stderr, "cpp_server: cannot serve\n");
        return 1;
    }
    server->Wait();
    return 0;
}

} // namespace
} // namespace grpc::testing

int
main(int argc, char **argv)
{
    return grpc::testing::Main(argc, argv);
}
