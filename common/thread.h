/** What a thread knows about itself. */
#ifndef AMDI_THREAD_H
#define AMDI_THREAD_H

#include <stdbool.h>

/** Says that the calling thread runs a loop, where nothing may block. */
void amdi_thread_set_is_loop(bool is_loop);

/** Tells whether the calling thread runs a loop. */
bool amdi_thread_is_loop(void);

/** Names the calling thread for people; cut to 15 characters. */
void amdi_thread_set_name(const char *name);

#endif
