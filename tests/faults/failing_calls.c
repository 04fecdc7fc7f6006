/* A library to preload (LD_PRELOAD) that makes one call of the system fail. faults.py compiles it and sets:

   FAULT_KIND    what to count: open read map write sync close truncate rename remove stat lock list mode memory
   FAULT_NTH     which of them fails, from 1; 0: none, they are only counted
   FAULT_ERROR   the errno that it fails with; 0: a read or write of half the bytes
   FAULT_STAYS   1: all of them fail from the n-th on, as on a disk that stays full
   FAULT_FOLDER  calls for files elsewhere are not counted
   FAULT_REPORT  a file to which the call that fails is appended, and at the end the number of calls
   FAULT_RIGHTS  1: all files have all rights, as on the disks of other systems

   Counting begins with main(), so the dynamic loader is left alone. Standard output and standard error are written by
   the C library itself and never fail here; situations_test.py sends them to /dev/full instead.

   The C library's own reads and writes behind FILE cannot be replaced. Files of the folder are therefore opened as
   streams of our own (fopencookie), which read and write through the functions below. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The function of this name that would be called without this library. */
#define REAL(name)                                                                     \
    static __typeof__(name)* volatile real;                                            \
    if (real == NULL) {                                                                \
        real = (__typeof__(name)*)dlsym(RTLD_NEXT, #name);                             \
    }

static const char* kind = "";
static const char* folder = "/";
static const char* report = NULL;
static long nth = 0;
static int error_number = 0;
static int stays = 0;
static int all_rights = 0;
static atomic_int started = 0;
static atomic_long calls = 0;

static void append_to_report(const char* text) {
    const int saved = errno;
    const int flags = O_WRONLY | O_CREAT | O_APPEND;
    const int file = report == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, report, flags, 0644);
    if (file >= 0) {
        (void)!syscall(SYS_write, file, text, strlen(text));
        syscall(SYS_close, file);
    }
    errno = saved;
}

/* Whether this call of a kind is to fail. */
static int fails(const char* of_kind, const char* call, const char* path) {
    char line[5000];
    if (!started || strcmp(kind, of_kind) != 0 || (path != NULL && strncmp(path, folder, strlen(folder)) != 0)) {
        return 0;
    }
    const long n = ++calls;
    if (nth == 0 || n < nth || (n > nth && !stays)) {
        return 0;
    }
    if (n == nth) {
        snprintf(line, sizeof line, "failed %s %s\n", call, path == NULL ? "" : path);
        append_to_report(line);
    }
    return 1;
}

static const char* path_of(int file, char* path, size_t size) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const long n = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
    path[n < 0 ? 0 : n] = '\0';
    return path;
}

static int fails_at(const char* of_kind, const char* call, int file) {
    char path[4096];
    if (!started || strcmp(kind, of_kind) != 0) {
        return 0;
    }
    const int saved = errno;
    path_of(file, path, sizeof path);
    errno = saved;
    return fails(of_kind, call, path);
}

#define FAIL_IF(condition, result) \
    if (condition) {               \
        errno = error_number;      \
        return result;             \
    }

/* The beginning and the end of counting. */

static int (*program_main)(int, char**, char**);

static int main_that_counts(int argc, char** argv, char** environment) {
    started = 1;
    return program_main(argc, argv, environment);
}

static const char* setting(const char* name, const char* otherwise) {
    const char* const value = getenv(name);
    return value == NULL ? otherwise : value;
}

int __libc_start_main(int (*main_function)(int, char**, char**), int argc, char** argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void* stack_end) {
    int (*real)(int (*)(int, char**, char**), int, char**, void (*)(void), void (*)(void), void (*)(void), void*);
    *(void**)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    program_main = main_function;
    kind = setting("FAULT_KIND", "");
    folder = setting("FAULT_FOLDER", "/");
    report = setting("FAULT_REPORT", NULL);
    nth = atol(setting("FAULT_NTH", "0"));
    error_number = atoi(setting("FAULT_ERROR", "5"));
    stays = atoi(setting("FAULT_STAYS", "0"));
    all_rights = atoi(setting("FAULT_RIGHTS", "0"));
    return real(main_that_counts, argc, argv, init, fini, rtld_fini, stack_end);
}

__attribute__((destructor)) static void end_of_counting(void) {
    char line[60];
    started = 0;
    snprintf(line, sizeof line, "calls %ld\n", (long)calls);
    append_to_report(line);
}

/* Opening. */

static int open_at(const char* call, int at, const char* path, int flags, mode_t mode) {
    FAIL_IF(fails("open", call, path), -1);
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define MODE_ARGUMENT                              \
    mode_t mode = 0;                               \
    if ((flags & O_CREAT) != 0 ||                  \
        (flags & O_TMPFILE) == O_TMPFILE) {        \
        va_list arguments;                         \
        va_start(arguments, flags);                \
        mode = va_arg(arguments, mode_t);          \
        va_end(arguments);                         \
    }

int open(const char* path, int flags, ...) {
    MODE_ARGUMENT
    return open_at("open", AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    MODE_ARGUMENT
    return open_at("open", AT_FDCWD, path, flags, mode);
}
int openat(int at, const char* path, int flags, ...) {
    MODE_ARGUMENT
    return open_at("openat", at, path, flags, mode);
}
int openat64(int at, const char* path, int flags, ...) {
    MODE_ARGUMENT
    return open_at("openat", at, path, flags, mode);
}

/* Reading and writing. */

ssize_t read(int file, void* to, size_t size) {
    if (fails_at("read", "read", file)) {
        FAIL_IF(error_number != 0, -1);
        size = (size + 1) / 2;
    }
    return syscall(SYS_read, file, to, size);
}
ssize_t pread(int file, void* to, size_t size, off_t at) {
    FAIL_IF(fails_at("read", "pread", file) && error_number != 0, -1);
    return syscall(SYS_pread64, file, to, size, at);
}
ssize_t write(int file, const void* from, size_t size) {
    if (fails_at("write", "write", file)) {
        FAIL_IF(error_number != 0, -1);
        size = (size + 1) / 2;
    }
    return syscall(SYS_write, file, from, size);
}
ssize_t pwrite(int file, const void* from, size_t size, off_t at) {
    FAIL_IF(fails_at("write", "pwrite", file) && error_number != 0, -1);
    return syscall(SYS_pwrite64, file, from, size, at);
}
ssize_t writev(int file, const struct iovec* parts, int n) {
    FAIL_IF(fails_at("write", "writev", file) && error_number != 0, -1);
    return syscall(SYS_writev, file, parts, n);
}

void* mmap(void* address, size_t size, int protection, int flags, int file, off_t offset) {
    FAIL_IF(file >= 0 && fails_at("map", "mmap", file), MAP_FAILED);
    return (void*)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}
void* mmap64(void* address, size_t size, int protection, int flags, int file, off_t offset) {
    return mmap(address, size, protection, flags, file, offset);
}

int fsync(int file) {
    FAIL_IF(fails_at("sync", "fsync", file), -1);
    return (int)syscall(SYS_fsync, file);
}
int fdatasync(int file) {
    FAIL_IF(fails_at("sync", "fdatasync", file), -1);
    return (int)syscall(SYS_fdatasync, file);
}
int ftruncate(int file, off_t size) {
    FAIL_IF(fails_at("truncate", "ftruncate", file), -1);
    return (int)syscall(SYS_ftruncate, file, size);
}
int ftruncate64(int file, off_t size) { return ftruncate(file, size); }
int flock(int file, int operation) {
    FAIL_IF(fails_at("lock", "flock", file), -1);
    return (int)syscall(SYS_flock, file, operation);
}

/* Linux closes the file whatever it returns. */
int close(int file) {
    const int failed = fails_at("close", "close", file);
    const int result = (int)syscall(SYS_close, file);
    FAIL_IF(failed, -1);
    return result;
}

/* Streams of the folder's files. */

enum { most_streams = 256 };
static struct {
    FILE* stream;
    int file;
} streams[most_streams];
static pthread_mutex_t streams_mutex = PTHREAD_MUTEX_INITIALIZER;

static ssize_t read_stream(void* cookie, char* to, size_t size) { return read((int)(ptrdiff_t)cookie, to, size); }

/* As the C library does: what was not written at once is written after it. */
static ssize_t write_stream(void* cookie, const char* from, size_t size) {
    size_t done = 0;
    while (done < size) {
        const ssize_t n = write((int)(ptrdiff_t)cookie, from + done, size - done);
        if (n < 0) {
            break;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int seek_stream(void* cookie, off64_t* at, int whence) {
    const off64_t result = lseek64((int)(ptrdiff_t)cookie, *at, whence);
    if (result < 0) {
        return -1;
    }
    *at = result;
    return 0;
}

static int close_stream(void* cookie) {
    pthread_mutex_lock(&streams_mutex);
    for (int i = 0; i < most_streams; ++i) {
        if (streams[i].stream != NULL && streams[i].file == (int)(ptrdiff_t)cookie) {
            streams[i].stream = NULL;
        }
    }
    pthread_mutex_unlock(&streams_mutex);
    return close((int)(ptrdiff_t)cookie);
}

static FILE* stream_of(int file, const char* mode) {
    const cookie_io_functions_t functions = {read_stream, write_stream, seek_stream, close_stream};
    FILE* const stream = fopencookie((void*)(ptrdiff_t)file, mode, functions);
    pthread_mutex_lock(&streams_mutex);
    for (int i = 0; stream != NULL && i < most_streams; ++i) {
        if (streams[i].stream == NULL) {
            streams[i].stream = stream;
            streams[i].file = file;
            break;
        }
    }
    pthread_mutex_unlock(&streams_mutex);
    return stream;
}

static FILE* open_stream(const char* path, const char* mode) {
    const int plus = strchr(mode, '+') != NULL;
    const int flags = mode[0] == 'r' ? (plus ? O_RDWR : O_RDONLY)
                                     : (plus ? O_RDWR : O_WRONLY) | O_CREAT | (mode[0] == 'w' ? O_TRUNC : O_APPEND);
    const int file = open_at("fopen", AT_FDCWD, path, flags | (strchr(mode, 'x') != NULL ? O_EXCL : 0), 0666);
    if (file < 0) {
        return NULL;
    }
    FILE* const stream = stream_of(file, mode);
    if (stream == NULL) {
        syscall(SYS_close, file);
    }
    return stream;
}

FILE* fopen(const char* path, const char* mode) {
    REAL(fopen)
    return started && strncmp(path, folder, strlen(folder)) == 0 ? open_stream(path, mode) : real(path, mode);
}
FILE* fopen64(const char* path, const char* mode) { return fopen(path, mode); }

FILE* fdopen(int file, const char* mode) {
    char path[4096];
    REAL(fdopen)
    return started && strncmp(path_of(file, path, sizeof path), folder, strlen(folder)) == 0 ? stream_of(file, mode)
                                                                                              : real(file, mode);
}

int fileno(FILE* stream) {
    REAL(fileno)
    int file = -1;
    pthread_mutex_lock(&streams_mutex);
    for (int i = 0; i < most_streams; ++i) {
        if (streams[i].stream == stream) {
            file = streams[i].file;
        }
    }
    pthread_mutex_unlock(&streams_mutex);
    return file >= 0 ? file : real(stream);
}

/* Names. */

int rename(const char* from, const char* to) {
    FAIL_IF(fails("rename", "rename", from), -1);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char* path) {
    FAIL_IF(fails("remove", "unlink", path), -1);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
int remove(const char* path) {
    REAL(remove)
    FAIL_IF(fails("remove", "remove", path), -1);
    return real(path);
}

static int with_rights(int failed, mode_t* mode) {
    if (!failed && all_rights && S_ISREG(*mode)) {
        *mode |= 0777;
    }
    return failed;
}

#define STAT_OF_PATH(name, type)                                     \
    int name(const char* path, struct type* result) {                \
        REAL(name)                                                   \
        FAIL_IF(fails("stat", #name, path), -1);                     \
        return with_rights(real(path, result), &result->st_mode);    \
    }
STAT_OF_PATH(stat, stat)
STAT_OF_PATH(stat64, stat64)
STAT_OF_PATH(lstat, stat)
STAT_OF_PATH(lstat64, stat64)

#define STAT_OF_FILE(name, type)                                     \
    int name(int file, struct type* result) {                        \
        REAL(name)                                                   \
        FAIL_IF(fails_at("stat", #name, file), -1);                  \
        return with_rights(real(file, result), &result->st_mode);    \
    }
STAT_OF_FILE(fstat, stat)
STAT_OF_FILE(fstat64, stat64)

int access(const char* path, int mode) {
    FAIL_IF(fails("stat", "access", path), -1);
    return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}
int chmod(const char* path, mode_t mode) {
    FAIL_IF(fails("mode", "chmod", path), -1);
    return (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}
int fchmodat(int at, const char* path, mode_t mode, int flags) {
    REAL(fchmodat)
    FAIL_IF(fails("mode", "fchmodat", path), -1);
    return real(at, path, mode, flags);
}

DIR* opendir(const char* path) {
    REAL(opendir)
    FAIL_IF(fails("list", "opendir", path), NULL);
    return real(path);
}
DIR* fdopendir(int file) {
    REAL(fdopendir)
    FAIL_IF(fails_at("list", "fdopendir", file), NULL);
    return real(file);
}
struct dirent* readdir(DIR* listing) {
    REAL(readdir)
    FAIL_IF(fails_at("list", "readdir", dirfd(listing)), NULL);
    return real(listing);
}

/* Memory. AddressSanitizer has its own. */

#ifndef FAULTS_WITHOUT_MEMORY
extern void* __libc_malloc(size_t size);
extern void* __libc_calloc(size_t n, size_t size);
extern void* __libc_realloc(void* old, size_t size);
extern void* __libc_memalign(size_t alignment, size_t size);

/* glibc 2.36 crashes in a dlopen that lacks memory for its message (TBB looks for optional libraries). Allocations in it
   do not fail. */
static _Thread_local int loading;

void* dlopen(const char* file, int flags) {
    REAL(dlopen)
    ++loading;
    void* const library = real(file, flags);
    --loading;
    return library;
}

static int memory_fails(const char* call) { return loading == 0 && fails("memory", call, NULL); }

void* malloc(size_t size) {
    FAIL_IF(memory_fails("malloc"), NULL);
    return __libc_malloc(size);
}
void* calloc(size_t n, size_t size) {
    FAIL_IF(memory_fails("calloc"), NULL);
    return __libc_calloc(n, size);
}
void* realloc(void* old, size_t size) {
    FAIL_IF(memory_fails("realloc"), NULL);
    return __libc_realloc(old, size);
}
void* memalign(size_t alignment, size_t size) {
    FAIL_IF(memory_fails("memalign"), NULL);
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
    FAIL_IF(memory_fails("aligned_alloc"), NULL);
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
    if (memory_fails("posix_memalign")) {
        return ENOMEM;
    }
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}
#endif
