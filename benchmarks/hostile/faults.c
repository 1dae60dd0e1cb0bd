/* Loaded before libc: the n-th call that writes below a folder fails, ends the process or has it get
   a signal; and the clock can go back. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char below[4096];
static long at, seen, back;
static int error, sticky;

/* Count from now on; call number n (from 1) fails with `code`, kills where it is 0, and where it is
   less than 0 a signal of that number comes before the call. */
void fault_arm(const char *folder, long n, int code, int stays) {
    snprintf(below, sizeof below, "%s", folder);
    error = code;
    sticky = stays;
    at = n;
    __atomic_store_n(&seen, 0, __ATOMIC_SEQ_CST);
}

long fault_seen(void) { return seen; }

/* The clock is so many seconds back from now on. */
void fault_clock(long seconds) { back = seconds; }

static int strikes(const char *path) {
    if (!below[0] || strncmp(path, below, strlen(below))) return 0;
    long n = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (!at || n < at || (n > at && !sticky)) return 0;
    if (error <= 0) {
        kill(getpid(), error ? -error : SIGKILL);
        return 0;
    }
    errno = error;
    return 1;
}

static int strikes_fd(int fd) {
    char link[64], path[4096];
    if (!below[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strikes(path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define ON_FD(type, name, declared, ...)                     \
    type name declared {                                     \
        REAL(name);                                          \
        return strikes_fd(fd) ? -1 : real(__VA_ARGS__);      \
    }
#define ON_PATH(name, declared, ...)                         \
    int name declared {                                      \
        REAL(name);                                          \
        return strikes(path) ? -1 : real(__VA_ARGS__);       \
    }
#define OPENING(name)                                        \
    int name(const char *path, int flags, ...) {             \
        REAL(name);                                          \
        mode_t mode = 0;                                     \
        if (flags & (O_CREAT | O_TMPFILE)) {                 \
            va_list more;                                    \
            va_start(more, flags);                           \
            mode = va_arg(more, mode_t);                     \
            va_end(more);                                    \
        }                                                    \
        if ((flags & O_CREAT) && strikes(path)) return -1;   \
        return real(path, flags, mode);                      \
    }

ON_FD(ssize_t, write, (int fd, const void *data, size_t count), fd, data, count)
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t count, off_t to), fd, data, count, to)
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t count, off64_t to), fd, data, count, to)
ON_FD(ssize_t, writev, (int fd, const struct iovec *parts, int count), fd, parts, count)
ON_FD(int, fsync, (int fd), fd)
ON_FD(int, fdatasync, (int fd), fd)
ON_FD(int, ftruncate, (int fd, off_t length), fd, length)
ON_FD(int, ftruncate64, (int fd, off64_t length), fd, length)
ON_PATH(rename, (const char *path, const char *to), path, to)
ON_PATH(mkdir, (const char *path, mode_t mode), path, mode)
ON_PATH(unlink, (const char *path), path)
OPENING(open)
OPENING(open64)

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) real;
    if (!real) real = (__typeof__(&clock_gettime))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec -= back;
    return failed;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
