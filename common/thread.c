/** What a thread knows about itself. */
#include "common/thread.h"

#include <pthread.h>
#include <stdio.h>

#define THREAD_NAME_BYTES 16 // Linux takes no more, NUL included

static _Thread_local bool thread_is_loop;

void
amdi_thread_set_is_loop(bool is_loop)
{
    thread_is_loop = is_loop;
}

bool
amdi_thread_is_loop(void)
{
    return thread_is_loop;
}

void
amdi_thread_set_name(const char *name)
{
    char cut[THREAD_NAME_BYTES];

    (void)snprintf(cut, sizeof(cut), "%s", name);  // cutting is intended
    (void)pthread_setname_np(pthread_self(), cut); // a name is only for people
}
