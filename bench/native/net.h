/* What the origin server and the load generator share. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024
#define MIB (1024 * 1024)

/* Nanoseconds of the clock that all processes of this machine share. */
static inline int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void sleep_until(int64_t when) {
    struct timespec t = {when / 1000000000, when % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

/* Small messages leave at once; one of 64 KiB fits into the buffer, so that sending it never waits for the reader. */
static inline void prepare(int fd) {
    int one = 1, room = MIB;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

/* 0, or -1 when the other side has gone. */
static inline int send_all(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return -1;
        at += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* Sends `total` payload bytes in units of `payload` bytes, each of which is `unit` bytes on the wire; `block` holds
   `times` of them. At `rate` payload bytes per second, or as fast as it goes with 0. -1 when the other side has gone. */
static inline int pour(int fd, const char *block, size_t times, size_t unit, size_t payload, uint64_t total,
                       uint64_t rate) {
    int64_t began = now();
    for (uint64_t done = 0; done < total;) {
        uint64_t units = (total - done + payload - 1) / payload;
        if (units > times) units = times;
        if (rate) sleep_until(began + (int64_t)((double)done / (double)rate * 1e9));
        if (send_all(fd, block, units * unit)) return -1;
        done += units * payload;
    }
    return 0;
}

/* Writes a websocket frame's header; `mask` is NULL for none. Returns its length. */
static inline size_t frame_header(unsigned char *at, int opcode, uint64_t size, const unsigned char *mask) {
    size_t length = 2;
    at[0] = (unsigned char)(0x80 | opcode);
    if (size < 126) {
        at[1] = (unsigned char)size;
    } else if (size < 65536) {
        at[1] = 126;
        at[2] = (unsigned char)(size >> 8);
        at[3] = (unsigned char)size;
        length = 4;
    } else {
        at[1] = 127;
        for (int n = 0; n < 8; n++) at[2 + n] = (unsigned char)(size >> (56 - 8 * n));
        length = 10;
    }
    if (mask) {
        at[1] |= 0x80;
        memcpy(at + length, mask, 4);
        length += 4;
    }
    return length;
}

/* Reads the headers of websocket frames, however the bytes arrive. */
struct frames {
    unsigned char header[14];
    size_t have;
    int opcode, fin;
    uint64_t left;    /* of the payload of this frame */
    uint64_t size;
    uint64_t key;     /* the mask, twice */
    unsigned phase;   /* of the next byte in the mask */
};

/* Takes one byte of a header; true when the header is complete, and `left` is set. */
static inline int frame_begins(struct frames *f, unsigned char byte) {
    unsigned char *h = f->header;
    h[f->have++] = byte;
    if (f->have < 2) return 0;
    size_t extended = (h[1] & 127) == 127 ? 8 : (h[1] & 127) == 126 ? 2 : 0, masked = h[1] & 128 ? 4 : 0;
    if (f->have < 2 + extended + masked) return 0;
    f->left = extended ? 0 : h[1] & 127;
    for (size_t n = 0; n < extended; n++) f->left = f->left << 8 | h[2 + n];
    uint32_t key = 0;
    if (masked) memcpy(&key, h + 2 + extended, 4);
    f->key = (uint64_t)key << 32 | key;
    f->phase = 0;
    f->size = f->left;
    f->opcode = h[0] & 15;
    f->fin = h[0] & 128;
    f->have = 0;
    return 1;
}

/* Masks or unmasks a part of a payload. */
static inline void unmask(struct frames *f, unsigned char *data, size_t size) {
    size_t n = 0;
    unsigned char bytes[8];
    memcpy(bytes, &f->key, 8);
    for (; n < size && f->phase % 4; n++) data[n] ^= bytes[f->phase++ % 4];
    for (uint64_t word; n + 8 <= size; n += 8) {
        memcpy(&word, data + n, 8);
        word ^= f->key;
        memcpy(data + n, &word, 8);
    }
    for (; n < size; n++) data[n] ^= bytes[f->phase++ % 4];
    f->phase %= 4;
}
