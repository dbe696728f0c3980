/** Tells systemd how the daemon is doing, where it runs below one. */
#ifndef AMDI_NOTIFY_H
#define AMDI_NOTIFY_H

/**
 * Sends "READY=1" or the like to $NOTIFY_SOCKET, as sd_notify(3) describes.
 * Nothing happens without that variable; failures are logged and harmless.
 */
void amdi_notify(const char *state);

#endif
