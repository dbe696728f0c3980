// The Bench service on gRPC C++'s callback API, for comparison.
//
//   grpc-echo-server PORT-FILE
//
// Listens on a free port of 127.0.0.1, writes it to PORT-FILE, serves until it
// is killed. Block and Burn are left out: they compare nothing.
#include "bench.grpc.pb.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

namespace
{

namespace bench = amdrpc::bench::v1;

// Answers after a while; holds no thread meanwhile.
class SleepReactor : public grpc::ServerUnaryReactor
{
  public:
    explicit SleepReactor(uint32_t ms)
    {
        alarm_.Set(std::chrono::system_clock::now() +
                        std::chrono::milliseconds(ms),
                [this](bool) { Finish(grpc::Status::OK); });
    }

    void OnDone() override
    {
        delete this;
    }

  private:
    grpc::Alarm alarm_;
};

// Sends n messages, each when the one before has been taken.
class CountReactor : public grpc::ServerWriteReactor<bench::CountResponse>
{
  public:
    CountReactor(uint32_t n, uint32_t size) : n_(n)
    {
        response_.set_payload(std::string(size, '\0'));
        Next();
    }

    void OnWriteDone(bool is_ok) override
    {
        if (is_ok) {
            Next();
        } else {
            Finish(grpc::Status::CANCELLED);
        }
    }

    void OnDone() override
    {
        delete this;
    }

  private:
    void Next()
    {
        if (i_ == n_) {
            Finish(grpc::Status::OK);
            return;
        }
        response_.set_i(i_++);
        // Not with a buffer hint: small messages are then never told as done.
        StartWrite(&response_);
    }

    bench::CountResponse response_;
    uint32_t n_;
    uint32_t i_ = 0;
};

class Service : public bench::Bench::CallbackService
{
    grpc::ServerUnaryReactor *Answer(grpc::CallbackServerContext *context,
            const bench::EchoRequest *request, bench::EchoResponse *response)
    {
        response->set_payload(request->payload());
        auto *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }

    grpc::ServerUnaryReactor *Echo(grpc::CallbackServerContext *context,
            const bench::EchoRequest *request,
            bench::EchoResponse *response) override
    {
        return Answer(context, request, response);
    }

    grpc::ServerUnaryReactor *EchoInline(grpc::CallbackServerContext *context,
            const bench::EchoRequest *request,
            bench::EchoResponse *response) override
    {
        return Answer(context, request, response);
    }

    grpc::ServerUnaryReactor *Sleep(grpc::CallbackServerContext *,
            const bench::SleepRequest *request, bench::SleepResponse *) override
    {
        return new SleepReactor(request->ms());
    }

    grpc::ServerWriteReactor<bench::CountResponse> *Count(
            grpc::CallbackServerContext *,
            const bench::CountRequest *request) override
    {
        return new CountReactor(request->n(), request->size());
    }
};

} // namespace

int
main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s PORT-FILE\n", argv[0]);
        return 2;
    }
    Service service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(
            "127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server(builder.BuildAndStart());
    if (!server || port == 0) {
        std::fprintf(stderr, "cannot listen\n");
        return 1;
    }
    std::ofstream(argv[1]) << port << std::endl;
    server->Wait();
    return 0;
}
