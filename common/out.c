/** Bytes gathered for one write. */
#include "common/out.h"

#include "common/assertion.h"

#include <string.h>

void
amdi_out_init(struct amdi_out *out, uint8_t *scratch, size_t room)
{
    out->scratch = scratch;
    out->room = room;
    out->used = 0;
    out->nbytes = 0;
    out->niov = 0;
}

bool
amdi_out_has_room(const struct amdi_out *out, size_t len)
{
    return out->room - out->used >= len && out->niov + 2 <= AMDI_OUT_NIOV &&
            out->nbytes < AMDI_OUT_ENOUGH_BYTES;
}

size_t
amdi_out_room(const struct amdi_out *out)
{
    return amdi_out_has_room(out, 0) ? out->room - out->used : 0;
}

static void
out_add(struct amdi_out *out, void *data, size_t len)
{
    amdi_assert(out->niov < AMDI_OUT_NIOV);
    out->iov[out->niov] = (struct iovec){.iov_base = data, .iov_len = len};
    out->niov++;
}

void
amdi_out_copy(struct amdi_out *out, const void *data, size_t len)
{
    uint8_t *to = out->scratch + out->used;
    struct iovec *last = out->niov > 0 ? &out->iov[out->niov - 1] : NULL;

    amdi_assert(out->room - out->used >= len);
    if (len == 0) {
        return;
    }
    memcpy(to, data, len);
    out->used += len;
    out->nbytes += len;
    if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == to) {
        last->iov_len += len;
    } else {
        out_add(out, to, len);
    }
}

void
amdi_out_reference(struct amdi_out *out, const void *data, size_t len)
{
    if (len > 0) {
        out_add(out, (void *)data, len); // an iovec has no const; only read
        out->nbytes += len;
    }
}
