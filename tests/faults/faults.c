/* What goes wrong with a disk and a clock, for a program that is started with this as LD_PRELOAD.

   FAULTS_DIRECTORY  the directory whose files are meant; all others are left alone
   FAULTS_CONTROL    a file of the size of struct control, which the test changes while the program runs
   FAULTS_RECORD     where everything is written down that changes files in the directory, in its order (optional)

   A record is a struct entry, followed by its data. See tests/faults/disk.py, which reads it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock;       /* seconds to add to the wall clock */
    int32_t writes_left; /* how many writes the disk has room for; -1: any number */
    int32_t write_error; /* errno of those after them */
    int32_t syncs_left;  /* how many syncs work before one fails; -1: all */
    int32_t sync_error;  /* its errno */
    int32_t syncs_then;  /* what syncs_left is after that: 0 for a disk that stays broken */
};

enum { OPEN = 'o', WRITE = 'w', TRUNCATE = 't', ALLOCATE = 'a', SYNC = 's', SYNC_FAILED = 'f', RENAME = 'r', UNLINK = 'u' };

struct entry {
    uint32_t operation;
    uint32_t file; /* the descriptor */
    uint64_t offset;
    uint64_t length; /* of the data behind this */
};

#define MOST_FILES 65536

static struct control nothing = {0, -1, 0, -1, 0, -1};
static struct control *control = &nothing;
static const char *directory = "";
static int record = -1;
static char ours[MOST_FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULTS_CONTROL");
    int file = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (page != MAP_FAILED) control = page;
        syscall(SYS_close, file);
    }
    directory = getenv("FAULTS_DIRECTORY") ? getenv("FAULTS_DIRECTORY") : "";
    name = getenv("FAULTS_RECORD");
    if (name) record = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Whether path, made whole, lies in the directory; whole has room for PATH_MAX. */
static int within(const char *path, char *whole) {
    size_t length = strlen(directory);
    if (!length) return 0;
    if (path[0] == '/') {
        strncpy(whole, path, PATH_MAX - 1);
        whole[PATH_MAX - 1] = 0;
    } else {
        if (!getcwd(whole, PATH_MAX / 2)) return 0;
        strncat(whole, "/", 2);
        strncat(whole, path, PATH_MAX / 2 - 2);
    }
    return !strncmp(whole, directory, length) && (whole[length] == '/' || whole[length] == 0);
}

static void note(int operation, int file, uint64_t offset, const void *data, size_t length) {
    if (record < 0) return;
    struct entry entry = {(uint32_t)operation, (uint32_t)file, offset, length};
    struct iovec parts[2] = {{&entry, sizeof entry}, {(void *)data, length}};
    syscall(SYS_writev, record, parts, 2);
}

static int is_ours(int file) { return file >= 0 && file < MOST_FILES && ours[file]; }

/* Call with the lock held: 0 where the disk has room for one more write, else -1 with errno set. */
static int room(void) {
    if (control->writes_left == 0) {
        errno = control->write_error;
        return -1;
    }
    if (control->writes_left > 0) control->writes_left--;
    return 0;
}

static int opened(int file, const char *path, int flags) {
    char whole[PATH_MAX];
    if (file >= 0 && file < MOST_FILES && within(path, whole)) {
        pthread_mutex_lock(&lock);
        ours[file] = 1;
        note(OPEN, file, (uint64_t)((flags & O_TRUNC) != 0), whole, strlen(whole));
        pthread_mutex_unlock(&lock);
    }
    return file;
}

#define MODE(flags)                                    \
    mode_t mode = 0;                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {             \
        va_list arguments;                             \
        va_start(arguments, flags);                    \
        mode = (mode_t)va_arg(arguments, int);         \
        va_end(arguments);                             \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), path, flags);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode), path, flags);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags)
    return opened((int)syscall(SYS_openat, at, path, flags, mode), path, flags);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE(flags)
    return opened((int)syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode), path, flags);
}

int close(int file) {
    if (is_ours(file)) ours[file] = 0;
    return (int)syscall(SYS_close, file);
}

static ssize_t put(int file, const void *data, size_t length, off_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t done = room();
    if (done == 0) {
        done = offset < 0 ? syscall(SYS_write, file, data, length) : syscall(SYS_pwrite64, file, data, length, offset);
        if (done > 0) {
            off_t at = offset < 0 ? (off_t)syscall(SYS_lseek, file, 0, SEEK_CUR) - done : offset;
            note(WRITE, file, (uint64_t)at, data, (size_t)done);
        }
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int file, const void *data, size_t length) {
    return is_ours(file) ? put(file, data, length, -1) : syscall(SYS_write, file, data, length);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    return is_ours(file) ? put(file, data, length, offset) : syscall(SYS_pwrite64, file, data, length, offset);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    return pwrite(file, data, length, offset);
}

static ssize_t put_all(int file, const struct iovec *parts, int count, off_t offset) {
    ssize_t all = 0;
    for (int part = 0; part < count; part++) {
        ssize_t done = put(file, parts[part].iov_base, parts[part].iov_len, offset < 0 ? offset : offset + all);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < parts[part].iov_len) break;
    }
    return all;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    return is_ours(file) ? put_all(file, parts, count, -1) : syscall(SYS_writev, file, parts, count);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
    return is_ours(file) ? put_all(file, parts, count, offset) : syscall(SYS_pwritev, file, parts, count, offset, 0);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset) {
    return pwritev(file, parts, count, offset);
}

static int sync_file(int file, long call) {
    if (!is_ours(file)) return (int)syscall(call, file);
    pthread_mutex_lock(&lock);
    int failed = control->syncs_left == 0;
    if (failed)
        control->syncs_left = control->syncs_then;
    else if (control->syncs_left > 0)
        control->syncs_left--;
    int result = failed ? -1 : (int)syscall(call, file);
    note(failed ? SYNC_FAILED : SYNC, file, 0, NULL, 0);
    if (failed) errno = control->sync_error;
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int file) { return sync_file(file, SYS_fsync); }

int fdatasync(int file) { return sync_file(file, SYS_fdatasync); }

int ftruncate(int file, off_t length) {
    if (!is_ours(file)) return (int)syscall(SYS_ftruncate, file, length);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, file, length);
    if (!result) note(TRUNCATE, file, (uint64_t)length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

/* Room made for a file ahead: it is longer then, and holds zeros. */
int posix_fallocate(int file, off_t offset, off_t length) {
    if (!is_ours(file)) return syscall(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    pthread_mutex_lock(&lock);
    int before = errno, result = room() || syscall(SYS_fallocate, file, 0, offset, length) ? errno : 0;
    if (!result) note(ALLOCATE, file, (uint64_t)(offset + length), NULL, 0);
    errno = before;
    pthread_mutex_unlock(&lock);
    return result;
}

int posix_fallocate64(int file, off64_t offset, off64_t length) { return posix_fallocate(file, offset, length); }

int ftruncate64(int file, off64_t length) { return ftruncate(file, length); }

int unlink(const char *path) {
    char whole[PATH_MAX];
    int result = (int)syscall(SYS_unlink, path);
    if (!result && within(path, whole)) note(UNLINK, 0, 0, whole, strlen(whole));
    return result;
}

int rename(const char *from, const char *to) {
    char names[2 * PATH_MAX];
    int result = (int)syscall(SYS_rename, from, to);
    if (!result && within(from, names)) {
        size_t length = strlen(names) + 1;
        if (within(to, names + length)) note(RENAME, 0, 0, names, length + strlen(names + length));
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += control->clock;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = (int)syscall(SYS_gettimeofday, now, zone);
    if (!result && now) now->tv_sec += control->clock;
    return result;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}
