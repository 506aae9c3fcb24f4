/* What every case of the load generator needs: its options, connections, and the distribution of times. */
#pragma once
#include "net.h"
#include <stdarg.h>

struct options {
    int port, number, connections, chunked;
    const char *path, *fields;
    uint64_t size, message, rate;
    double seconds;
};

static struct options o = {.number = 1, .connections = 1, .fields = ""};

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((unsigned short)o.port);
    prepare(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("cannot connect: %s", strerror(errno));
    return fd;
}

static void ask(int fd, const char *method, const char *more) {
    static char head[16 * KIB];
    int size = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s\r\n", method, o.path, o.port,
                        o.fields, more);
    if (send_all(fd, head, (size_t)size)) fail("the request cannot be sent");
}

static size_t receive(int fd, void *data, size_t room, int flags) {
    ssize_t count = recv(fd, data, room, flags);
    if (count < 0) fail("nothing came for a minute: %s", strerror(errno));
    if (!count) fail("the connection was closed");
    return (size_t)count;
}

/* An answer's head. */
struct answer {
    int status;
    long long length;   /* of the body; -1 where it is not told */
    size_t have;        /* bytes of the body that came with the head: the first of `data` */
    char data[64 * KIB];
};

static void hear(int fd, struct answer *a, int status) {
    size_t have = 0;
    char *end;
    do {
        have += receive(fd, a->data + have, sizeof a->data - 1 - have, 0);
        a->data[have] = 0;
    } while (!(end = strstr(a->data, "\r\n\r\n")) && have < sizeof a->data - 1);
    if (sscanf(a->data, "HTTP/1.1 %d", &a->status) != 1 || a->status != status) fail("not %d:\n%.2000s", status, a->data);
    const char *length = strcasestr(a->data, "\r\ncontent-length:");
    a->length = length && length < end ? atoll(length + 17) : -1;
    a->have = have - (size_t)(end + 4 - a->data);
    memmove(a->data, end + 4, a->have);
    a->data[a->have] = 0;
}

/* ---- times, in nanoseconds */

static int64_t times[1000 * 1000];
static size_t timed;

static void note(int64_t time) {
    if (timed < sizeof times / sizeof *times) times[timed++] = time;
}

static int before(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* In microseconds. */
static double quantile(double part) {
    if (!timed) fail("nothing was measured");
    qsort(times, timed, sizeof *times, before);
    size_t at = (size_t)(part * (double)timed);
    return (double)times[at < timed ? at : timed - 1] / 1000;
}
