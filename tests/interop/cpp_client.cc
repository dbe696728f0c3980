// The standard interop cases on gRPC C++, for our server to meet.
//
//     cpp_client --server_host HOST --server_port PORT [--ca_file FILE]
//                [--test_case NAME]...
#include "tests/interop/cpp_peer.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace grpc::testing
{
namespace
{

using Stub = TestService::Stub;

constexpr int kLargeRequest = 271828;
constexpr int kLargeResponse = 314159;
constexpr int kRequestSizes[] = {27182, 8, 1828, 45904};
constexpr int kResponseSizes[] = {31415, 9, 2653, 58979};
constexpr char kStatusText[] = "test status message";
constexpr char kSpecialText[] =
        "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
        "\xf0\x9f\x98\x88\t\n";

// A case fails by throwing what was wrong.
void
Check(bool holds, const std::string &what)
{
    if (!holds) {
        throw std::runtime_error(what);
    }
}

void
CheckCode(const Status &status, StatusCode wanted)
{
    Check(status.error_code() == wanted,
            "status " + std::to_string(status.error_code()) + ": " +
                    status.error_message());
}

void
CheckSize(const Payload &payload, int size)
{
    Check(payload.body().size() == static_cast<size_t>(size),
            "the payload has " + std::to_string(payload.body().size()) +
                    " bytes instead of " + std::to_string(size));
}

SimpleRequest
LargeRequest()
{
    SimpleRequest request;

    request.set_response_size(kLargeResponse);
    request.mutable_payload()->set_body(std::string(kLargeRequest, '\0'));
    return request;
}

// ---- one message each way ----

void
EmptyUnary(Stub *stub)
{
    ClientContext context;
    Empty response;

    CheckCode(stub->EmptyCall(&context, Empty(), &response), StatusCode::OK);
}

void
LargeUnary(Stub *stub)
{
    ClientContext context;
    SimpleResponse response;

    CheckCode(stub->UnaryCall(&context, LargeRequest(), &response),
            StatusCode::OK);
    CheckSize(response.payload(), kLargeResponse);
}

void
CompressedRequest(Stub *stub, bool expect, bool compress, StatusCode wanted)
{
    ClientContext context;
    SimpleRequest request = LargeRequest();
    SimpleResponse response;

    request.mutable_expect_compressed()->set_value(expect);
    if (compress) {
        context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
    CheckCode(stub->UnaryCall(&context, request, &response), wanted);
    if (wanted == StatusCode::OK) {
        CheckSize(response.payload(), kLargeResponse);
    }
}

void
ClientCompressedUnary(Stub *stub)
{
    CompressedRequest(stub, true, false, StatusCode::INVALID_ARGUMENT);
    CompressedRequest(stub, true, true, StatusCode::OK);
    CompressedRequest(stub, false, false, StatusCode::OK);
}

void
ServerCompressedUnary(Stub *stub)
{
    for (bool compressed : {true, false}) {
        ClientContext context;
        SimpleRequest request = LargeRequest();
        SimpleResponse response;

        request.mutable_response_compressed()->set_value(compressed);
        CheckCode(
                stub->UnaryCall(&context, request, &response), StatusCode::OK);
        CheckSize(response.payload(), kLargeResponse);
        Check(InteropClientContextInspector::WasCompressed(context) ==
                        compressed,
                "the compressed flag is wrong");
    }
}

// ---- streams ----

void
ClientStreaming(Stub *stub)
{
    ClientContext context;
    StreamingInputCallResponse response;
    auto writer = stub->StreamingInputCall(&context, &response);

    for (int size : kRequestSizes) {
        StreamingInputCallRequest request;

        request.mutable_payload()->set_body(std::string(size, '\0'));
        Check(writer->Write(request), "cannot write");
    }
    writer->WritesDone();
    CheckCode(writer->Finish(), StatusCode::OK);
    Check(response.aggregated_payload_size() == 74922, "the sum is wrong");
}

StreamingInputCallRequest
CompressedInput(int size, bool expect)
{
    StreamingInputCallRequest request;

    request.mutable_expect_compressed()->set_value(expect);
    request.mutable_payload()->set_body(std::string(size, '\0'));
    return request;
}

void
ProbeCompressedInput(Stub *stub)
{
    ClientContext context;
    StreamingInputCallResponse response;
    auto writer = stub->StreamingInputCall(&context, &response);

    writer->Write(CompressedInput(27182, true));
    writer->WritesDone();
    CheckCode(writer->Finish(), StatusCode::INVALID_ARGUMENT);
}

void
ClientCompressedStreaming(Stub *stub)
{
    ClientContext context;
    StreamingInputCallResponse response;

    ProbeCompressedInput(stub);
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    auto writer = stub->StreamingInputCall(&context, &response);
    Check(writer->Write(CompressedInput(27182, true)), "cannot write");
    Check(writer->Write(CompressedInput(45904, false),
                  WriteOptions().set_no_compression()),
            "cannot write");
    writer->WritesDone();
    CheckCode(writer->Finish(), StatusCode::OK);
    Check(response.aggregated_payload_size() == 73086, "the sum is wrong");
}

void
ServerStreaming(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse response;

    for (int size : kResponseSizes) {
        request.add_response_parameters()->set_size(size);
    }
    auto reader = stub->StreamingOutputCall(&context, request);
    for (int size : kResponseSizes) {
        Check(reader->Read(&response), "a response is missing");
        CheckSize(response.payload(), size);
    }
    Check(!reader->Read(&response), "one response too many");
    CheckCode(reader->Finish(), StatusCode::OK);
}

void
ServerCompressedStreaming(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse response;

    for (bool compressed : {true, false}) {
        ResponseParameters *parameters = request.add_response_parameters();

        parameters->set_size(compressed ? 31415 : 92653);
        parameters->mutable_compressed()->set_value(compressed);
    }
    auto reader = stub->StreamingOutputCall(&context, request);
    for (bool compressed : {true, false}) {
        Check(reader->Read(&response), "a response is missing");
        CheckSize(response.payload(), compressed ? 31415 : 92653);
        Check(InteropClientContextInspector::WasCompressed(context) ==
                        compressed,
                "the compressed flag is wrong");
    }
    Check(!reader->Read(&response), "one response too many");
    CheckCode(reader->Finish(), StatusCode::OK);
}

void
PingPong(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallResponse response;
    auto stream = stub->FullDuplexCall(&context);

    for (size_t i = 0; i < std::size(kRequestSizes); i++) {
        StreamingOutputCallRequest request;

        request.add_response_parameters()->set_size(kResponseSizes[i]);
        request.mutable_payload()->set_body(
                std::string(kRequestSizes[i], '\0'));
        Check(stream->Write(request), "cannot write");
        Check(stream->Read(&response), "a response is missing");
        CheckSize(response.payload(), kResponseSizes[i]);
    }
    stream->WritesDone();
    Check(!stream->Read(&response), "one response too many");
    CheckCode(stream->Finish(), StatusCode::OK);
}

void
EmptyStream(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallResponse response;
    auto stream = stub->FullDuplexCall(&context);

    stream->WritesDone();
    Check(!stream->Read(&response), "one response too many");
    CheckCode(stream->Finish(), StatusCode::OK);
}

void
CancelAfterBegin(Stub *stub)
{
    ClientContext context;
    StreamingInputCallResponse response;
    auto writer = stub->StreamingInputCall(&context, &response);

    context.TryCancel();
    CheckCode(writer->Finish(), StatusCode::CANCELLED);
}

void
CancelAfterFirstResponse(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse response;
    auto stream = stub->FullDuplexCall(&context);

    request.add_response_parameters()->set_size(kResponseSizes[0]);
    Check(stream->Write(request), "cannot write");
    Check(stream->Read(&response), "a response is missing");
    context.TryCancel();
    CheckCode(stream->Finish(), StatusCode::CANCELLED);
}

void
TimeoutOnSleepingServer(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallRequest request;

    context.set_deadline(
            std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    auto stream = stub->FullDuplexCall(&context);
    request.mutable_payload()->set_body(std::string(27182, '\0'));
    stream->Write(request); // the time may be over
    CheckCode(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

// ---- metadata and statuses ----

void
AddEchoes(ClientContext *context)
{
    context->AddMetadata(
            "x-grpc-test-echo-initial", "test_initial_metadata_value");
    context->AddMetadata("x-grpc-test-echo-trailing-bin", "\xab\xab\xab");
}

void
CheckEchoes(const ClientContext &context)
{
    const auto &initial = context.GetServerInitialMetadata();
    const auto &trailing = context.GetServerTrailingMetadata();
    auto first = initial.find("x-grpc-test-echo-initial");
    auto last = trailing.find("x-grpc-test-echo-trailing-bin");

    Check(first != initial.end() &&
                    first->second == "test_initial_metadata_value",
            "the initial metadata did not come back");
    Check(last != trailing.end() && last->second == "\xab\xab\xab",
            "the trailing metadata did not come back");
}

void
CustomMetadata(Stub *stub)
{
    ClientContext unary;
    ClientContext duplex;
    SimpleResponse response;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse output;

    AddEchoes(&unary);
    CheckCode(
            stub->UnaryCall(&unary, LargeRequest(), &response), StatusCode::OK);
    CheckEchoes(unary);

    AddEchoes(&duplex);
    auto stream = stub->FullDuplexCall(&duplex);
    request.add_response_parameters()->set_size(kLargeResponse);
    Check(stream->Write(request), "cannot write");
    stream->WritesDone();
    Check(stream->Read(&output), "a response is missing");
    Check(!stream->Read(&output), "one response too many");
    CheckCode(stream->Finish(), StatusCode::OK);
    CheckEchoes(duplex);
}

void
CheckText(const Status &status, const std::string &text)
{
    CheckCode(status, StatusCode::UNKNOWN);
    Check(status.error_message() == text,
            "the status message is \"" + status.error_message() + "\"");
}

void
StatusUnary(Stub *stub, const std::string &text)
{
    ClientContext context;
    SimpleRequest request;
    SimpleResponse response;

    request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
    request.mutable_response_status()->set_message(text);
    CheckText(stub->UnaryCall(&context, request, &response), text);
}

void
StatusCodeAndMessage(Stub *stub)
{
    ClientContext context;
    StreamingOutputCallRequest request;
    StreamingOutputCallResponse response;

    StatusUnary(stub, kStatusText);
    auto stream = stub->FullDuplexCall(&context);
    request.mutable_response_status()->set_code(StatusCode::UNKNOWN);
    request.mutable_response_status()->set_message(kStatusText);
    Check(stream->Write(request), "cannot write");
    stream->WritesDone();
    Check(!stream->Read(&response), "one response too many");
    CheckText(stream->Finish(), kStatusText);
}

void
SpecialStatusMessage(Stub *stub)
{
    StatusUnary(stub, kSpecialText);
}

void
UnimplementedMethod(Stub *stub)
{
    ClientContext context;
    Empty response;

    CheckCode(stub->UnimplementedCall(&context, Empty(), &response),
            StatusCode::UNIMPLEMENTED);
}

void
UnimplementedServiceCase(const std::shared_ptr<Channel> &channel)
{
    ClientContext context;
    Empty response;
    std::unique_ptr<UnimplementedService::Stub> stub =
            UnimplementedService::NewStub(channel);

    CheckCode(stub->UnimplementedCall(&context, Empty(), &response),
            StatusCode::UNIMPLEMENTED);
}

// ---- the program ----

struct Case {
    const char *name;
    std::function<void(Stub *)> run;
};

const Case kCases[] = {
        {"empty_unary", EmptyUnary},
        {"large_unary", LargeUnary},
        {"client_compressed_unary", ClientCompressedUnary},
        {"server_compressed_unary", ServerCompressedUnary},
        {"client_streaming", ClientStreaming},
        {"client_compressed_streaming", ClientCompressedStreaming},
        {"server_streaming", ServerStreaming},
        {"server_compressed_streaming", ServerCompressedStreaming},
        {"ping_pong", PingPong},
        {"empty_stream", EmptyStream},
        {"cancel_after_begin", CancelAfterBegin},
        {"cancel_after_first_response", CancelAfterFirstResponse},
        {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
        {"custom_metadata", CustomMetadata},
        {"status_code_and_message", StatusCodeAndMessage},
        {"special_status_message", SpecialStatusMessage},
        {"unimplemented_method", UnimplementedMethod},
};

bool
Run(const std::string &name, const std::function<void()> &run)
{
    try {
        run();
    } catch (const std::exception &wrong) {
        std::printf("%s: failed: %s\n", name.c_str(), wrong.what());
        return false;
    }
    std::printf("%s: passed\n", name.c_str());
    return true;
}

std::shared_ptr<Channel>
MakeChannel(const peer::Options &options)
{
    std::string target = peer::GetOption(options, "server_host") + ":" +
            peer::GetOption(options, "server_port");
    std::string ca_file = peer::GetOption(options, "ca_file");
    SslCredentialsOptions ssl;

    if (ca_file.empty()) {
        return CreateChannel(target, InsecureChannelCredentials());
    }
    ssl.pem_root_certs = peer::ReadFile(ca_file);
    return CreateChannel(target, SslCredentials(ssl));
}

int
Main(int argc, char **argv)
{
    peer::Options options = peer::ParseOptions(argc, argv);
    std::shared_ptr<Channel> channel = MakeChannel(options);
    std::unique_ptr<Stub> stub = TestService::NewStub(channel);
    const std::vector<std::string> &names = options["test_case"];
    bool all_passed = true;

    auto is_chosen = [&](const std::string &name) {
        return names.empty() ||
                std::find(names.begin(), names.end(), name) != names.end();
    };

    for (const Case &at : kCases) {
        if (is_chosen(at.name)) {
            all_passed =
                    Run(at.name, [&] { at.run(stub.get()); }) && all_passed;
        }
    }
    if (is_chosen("unimplemented_service")) {
        all_passed = Run("unimplemented_service", [&] {
            UnimplementedServiceCase(channel);
        }) && all_passed;
    }
    return all_passed ? 0 : 1;
}

} // namespace
} // namespace grpc::testing

int
main(int argc, char **argv)
{
    return grpc::testing::Main(argc, argv);
}
