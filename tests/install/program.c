/** What a user builds against an installed amdrpc. */
#include <amdrpc/status.h>

#include <stdio.h>

int
main(void)
{
    puts(amdrpc_status_name(amdrpc_status_from_err(AMDRPC_OK)));
    return 0;
}
