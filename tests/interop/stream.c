/**
 * The methods that answer with a stream: players of a list of outputs.
 *
 * They run on the loop and hold no thread while they wait for a request, for an
 * interval to pass or for room to send.
 */
#include "tests/interop/service.h"

#include <stddef.h>
#include <string.h>

// A half-duplex client makes the list grow until it has sent everything.
#define MAX_OUTPUTS 10000u
#define FIRST_OUTPUTS 8u

#define US_PER_MS 1000u

/** One answer to come. */
struct output {
    int32_t size;
    uint32_t pause_ms; // before it
    bool is_compressed;
};

enum player_state {
    PLAYER_READING, // for more requests, when there is nothing to play
    PLAYER_PAUSING, // until the interval before the next output has passed
    PLAYER_PLAYING, // the next output is due; waits for room at most
    PLAYER_ENDED,   // the call is finished and gone
};

/** A call at work; lies in its memory. */
struct player {
    amdrpc_call *call;
    enum player_state state;
    bool has_requests;  // more may come
    bool plays_at_once; // not only after the last request
    struct output *outputs;
    size_t noutputs;
    size_t room;
    size_t next; // to be played
};

static void
player_set_state(struct player *player, enum player_state next)
{
    player->state = next;
}

/** Ends the call, and with it the player's memory. */
static void
player_end(struct player *player, amdrpc_status_code code, const char *message)
{
    player_set_state(player, PLAYER_ENDED);
    amdrpc_call_finish(player->call, code, message);
}

/* ---- the list ---- */

/** Makes room for @count more outputs; false: there is none. */
static bool
player_reserve(struct player *player, size_t count)
{
    size_t need = player->noutputs + count;
    size_t room = player->room == 0 ? FIRST_OUTPUTS : player->room;
    struct output *outputs;

    if (need <= player->room) {
        return true;
    }
    if (need > MAX_OUTPUTS) {
        return false;
    }
    while (room < need) {
        room *= 2;
    }
    outputs = amdrpc_call_alloc(player->call, room * sizeof(*outputs));
    if (outputs == NULL) {
        return false;
    }
    if (player->noutputs > 0) {
        memcpy(outputs, player->outputs, player->noutputs * sizeof(*outputs));
    }
    player->outputs = outputs;
    player->room = room;
    return true;
}

static void
player_add_output(struct player *player,
        const Grpc__Testing__ResponseParameters *parameters)
{
    uint32_t us =
            parameters->interval_us > 0 ? (uint32_t)parameters->interval_us : 0;

    player->outputs[player->noutputs++] = (struct output){
            .size = parameters->size,
            .pause_ms = (us + US_PER_MS - 1) / US_PER_MS,
            .is_compressed = parameters->compressed != NULL &&
                    parameters->compressed->value,
    };
}

/** Adds what a request asks for. False: the call has been ended. */
static bool
player_add_request(struct player *player,
        const Grpc__Testing__StreamingOutputCallRequest *request)
{
    const Grpc__Testing__EchoStatus *status = request->response_status;

    if (status != NULL && status->code != 0) {
        player_end(player, (amdrpc_status_code)status->code, status->message);
        return false;
    }
    if (!player_reserve(player, request->n_response_parameters)) {
        player_end(player, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "more responses than one call may ask for");
        return false;
    }
    for (size_t i = 0; i < request->n_response_parameters; i++) {
        player_add_output(player, request->response_parameters[i]);
    }
    return true;
}

/* ---- playing ---- */

static void player_run(struct player *player);

static void
player_on_time(amdrpc_call *call, void *arg)
{
    struct player *player = arg;

    (void)call; // the player's
    player_set_state(player, PLAYER_PLAYING);
    player_run(player);
}

/** Looks at what is to be played next. */
static void
player_prepare(struct player *player)
{
    const struct output *output = &player->outputs[player->next];

    if (output->pause_ms == 0) {
        player_set_state(player, PLAYER_PLAYING);
        return;
    }
    player_set_state(player, PLAYER_PAUSING);
    amdrpc_call_after(player->call, output->pause_ms, player_on_time, player);
}

/** Sends the next output; false: not now, or the call has been ended. */
static bool
player_play(struct player *player)
{
    const struct output *output = &player->outputs[player->next];
    Grpc__Testing__StreamingOutputCallResponse response =
            GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    amdrpc_err err;

    if (!interop_make_payload(player->call,
                GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE, output->size,
                &payload)) {
        return false;
    }
    response.payload = &payload;
    amdrpc_call_set_compression(player->call, output->is_compressed);
    err = amdrpc_call_send(player->call, &response.base);
    if (err == AMDRPC_EAGAIN) {
        return false; // on_writable comes
    }
    if (err != AMDRPC_OK) {
        player_end(player, amdrpc_status_from_err(err), amdrpc_err_text(err));
        return false;
    }
    player->next++;
    player_set_state(player, PLAYER_READING);
    return true;
}

/** Takes the next request; false: none yet, or the call has been ended. */
static bool
player_read(struct player *player)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = amdrpc_call_recv(player->call, &message);

    if (err == AMDRPC_OK) {
        return player_add_request(player,
                (const Grpc__Testing__StreamingOutputCallRequest *)message);
    }
    if (err == AMDRPC_EEND) {
        player->has_requests = false;
        return true;
    }
    if (err != AMDRPC_EAGAIN) {
        player_end(player, amdrpc_status_from_err(err), amdrpc_err_text(err));
    }
    return false;
}

static bool
player_has_output(const struct player *player)
{
    return player->next < player->noutputs &&
            (player->plays_at_once || !player->has_requests);
}

/** Goes on from where it waits; false: it has to wait, or has ended. */
static bool
player_step(struct player *player)
{
    switch (player->state) {
    case PLAYER_READING:
        if (player_has_output(player)) {
            player_prepare(player);
            return true;
        }
        if (player->has_requests) {
            return player_read(player);
        }
        player_end(player, AMDRPC_STATUS_OK, NULL);
        return false;
    case PLAYER_PLAYING:
        return player_play(player);
    case PLAYER_PAUSING:
    case PLAYER_ENDED:
        return false;
    }
    return false;
}

static void
player_run(struct player *player)
{
    while (player_step(player)) {
    }
}

static void
player_on_event(amdrpc_call *call, void *arg)
{
    (void)call; // the player's
    player_run(arg);
}

static void
player_on_cancel(amdrpc_call *call, void *arg)
{
    (void)call; // the player's
    player_end(arg, AMDRPC_STATUS_CANCELLED, NULL);
}

static const amdrpc_call_events player_events = {
        .on_readable = player_on_event,
        .on_writable = player_on_event,
        .on_cancel = player_on_cancel,
};

static struct player *
player_create(amdrpc_call *call)
{
    struct player *player = amdrpc_call_alloc(call, sizeof(*player));

    if (player == NULL) {
        amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
        return NULL;
    }
    *player = (struct player){.call = call, .state = PLAYER_READING};
    if (!interop_echo_metadata(call)) {
        return NULL;
    }
    // Names the codec, for whichever message may want it.
    amdrpc_call_set_compression(call, true);
    return player;
}

/** Gives the call to the player, which ends it now or later. */
static void
player_start(struct player *player)
{
    amdrpc_call_defer(player->call);
    amdrpc_call_set_events(player->call, &player_events, player);
    player_run(player);
}

/* ---- the methods ---- */

void
interop_on_streaming_output(amdrpc_call *call,
        const Grpc__Testing__StreamingOutputCallRequest *request,
        void *user_data)
{
    struct player *player = player_create(call);

    (void)user_data; // none
    if (player == NULL) {
        return;
    }
    player->plays_at_once = true;
    if (player_add_request(player, request)) {
        player_start(player);
    }
}

void
interop_on_full_duplex(amdrpc_call *call, void *user_data)
{
    struct player *player = player_create(call);

    (void)user_data; // none
    if (player != NULL) {
        player->has_requests = true;
        player->plays_at_once = true;
        player_start(player);
    }
}

void
interop_on_half_duplex(amdrpc_call *call, void *user_data)
{
    struct player *player = player_create(call);

    (void)user_data; // none
    if (player != NULL) {
        player->has_requests = true;
        player_start(player);
    }
}
