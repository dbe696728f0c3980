/** Memory for nghttp2: small blocks from the thread's cache. */
#ifndef AMDI_H2_MEM_H
#define AMDI_H2_MEM_H

#include <nghttp2/nghttp2.h>

/** nghttp2's allocator; borrowed by every session. Thread: any. */
extern nghttp2_mem amdi_h2_mem;

#endif
