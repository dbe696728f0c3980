/** Fuzzes the settings file. */
#include "server/daemon/config.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct amdi_config config;
    char path[64];
    int fd = memfd_create("settings", MFD_CLOEXEC);

    fuzz_check(fd >= 0);
    fuzz_check(write(fd, data, len) == (ssize_t)len);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    amdi_config_init(&config);
    if (amdi_config_read_file(&config, path) != AMDRPC_OK) {
        fuzz_check(config.error[0] != '\0');
        fuzz_check(strchr(config.error, '\n') == NULL);
    }
    amdi_config_fini(&config);
    (void)close(fd); // in memory only
    return 0;
}
