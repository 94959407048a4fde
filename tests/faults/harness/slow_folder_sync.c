/* A disk that takes long to sync a folder, once: LD_PRELOAD it, name a file by SLOW_SYNC_ONCE and
 * the seconds by SLOW_SYNC_SECONDS. While the file exists, the next folder to be synced outside of
 * .incoming takes so long; that removes the file. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fsync(int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    const char *once = getenv("SLOW_SYNC_ONCE");
    const char *seconds = getenv("SLOW_SYNC_SECONDS");
    char link[64], path[4096];
    struct stat found;
    if (once && seconds && fstat(descriptor, &found) == 0 && S_ISDIR(found.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
        if (!strstr(path, ".incoming") && unlink(once) == 0)
            sleep((unsigned)atoi(seconds));
    }
    return real(descriptor);
}
