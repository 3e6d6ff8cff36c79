/* Janus gathers no candidates on loopback interfaces. This library, preloaded, shows it the same
 * interfaces without that flag. It is called when addresses are gathered, never for a packet. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <ifaddrs.h>
#include <net/if.h>

int getifaddrs(struct ifaddrs **list) {
    int (*real)(struct ifaddrs **) = (int (*)(struct ifaddrs **))dlsym(RTLD_NEXT, "getifaddrs");
    if (!real || real(list) != 0)
        return -1;
    for (struct ifaddrs *one = *list; one; one = one->ifa_next)
        one->ifa_flags &= ~(unsigned)IFF_LOOPBACK;
    return 0;
}
