/* Makes fsync and fdatasync fail with EIO while the file that FAIL_SYNC_WHILE names exists, for files whose path holds the
 * text of FAIL_SYNC_OF. Loaded into the program under test by LD_PRELOAD. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(int fd) {
    const char *while_there = getenv("FAIL_SYNC_WHILE"), *of = getenv("FAIL_SYNC_OF");
    char link[64], path[4096];
    if (!while_there || !of || access(while_there, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, of) != NULL;
}

int fsync(int fd) {
    if (fails(fd)) { errno = EIO; return -1; }
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    if (fails(fd)) { errno = EIO; return -1; }
    return (int)syscall(SYS_fdatasync, fd);
}
