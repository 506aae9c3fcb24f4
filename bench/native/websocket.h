/* Websockets of the load generator. */
#pragma once
#include "client.h"

/* Opens one; the first message, a line, tells the origin server what to do. */
static int open_websocket(const char *line) {
    static struct answer a;
    static const unsigned char mask[4] = {0};
    unsigned char first[200];
    int fd = dial();
    ask(fd, "GET", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n");
    hear(fd, &a, 101);
    if (a.have) fail("a message before the first one");
    if (*line) {
        size_t size = strlen(line), header = frame_header(first, 2, size, mask);
        memcpy(first + header, line, size);
        if (send_all(fd, first, header + size)) fail("the first message cannot be sent");
    }
    return fd;
}

/* The message that is sent again and again, masked. */
static unsigned char *message;
static size_t message_size;

static void prepare_message(void) {
    static const unsigned char mask[4] = {1, 2, 3, 4};
    message = calloc(1, o.size + 14);
    size_t header = frame_header(message, 2, o.size, mask);
    for (size_t n = 0; n < o.size; n++) message[header + n] = mask[n % 4]; /* zeros */
    message_size = header + o.size;
}

struct listener {
    int fd;
    int drops; /* large messages come: their bytes are not even copied */
    struct frames frames;
    uint64_t missing; /* payload bytes of the answer that is waited for */
};

/* Reads what is there. */
static void listen_to(struct listener *l) {
    static unsigned char data[512 * KIB];
    size_t room = !l->drops ? sizeof data : l->frames.left ? l->frames.left : sizeof l->frames.header;
    size_t size = receive(l->fd, data, room, l->drops && l->frames.left ? MSG_TRUNC : 0);
    for (size_t n = 0; n < size;) {
        struct frames *f = &l->frames;
        if (!f->left) {
            if (frame_begins(f, data[n++]) && f->opcode == 8) fail("the websocket was closed");
            continue;
        }
        uint64_t part = f->left < size - n ? f->left : size - n;
        f->left -= part;
        n += part;
        if (f->opcode < 8) {
            if (part > l->missing) fail("%llu bytes too many", (unsigned long long)(part - l->missing));
            l->missing -= part;
        }
    }
}

static void round_trip(int fd) {
    static struct listener l;
    l.fd = fd;
    l.missing = o.size;
    if (send_all(fd, message, message_size)) fail("the websocket is gone");
    while (l.missing) listen_to(&l);
}

static void echo(void) {
    struct listener *all = calloc((size_t)o.connections, sizeof *all);
    struct epoll_event ready[64];
    int loop = epoll_create1(0), open = o.connections;
    uint64_t count = 0;
    prepare_message();
    for (int n = 0; n < o.connections; n++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[n]};
        all[n].fd = open_websocket("echo\n");
        epoll_ctl(loop, EPOLL_CTL_ADD, all[n].fd, &event);
    }
    int64_t began = now(), end = began + (int64_t)(o.seconds * 1e9), time = began;
    for (int n = 0; n < o.connections; n++) {
        all[n].missing = o.size;
        if (send_all(all[n].fd, message, message_size)) fail("the websocket is gone");
    }
    while (open) {
        int some = epoll_wait(loop, ready, 64, 60000);
        if (some <= 0) fail("nothing came for a minute");
        time = now();
        for (int n = 0; n < some; n++) {
            struct listener *l = ready[n].data.ptr;
            listen_to(l);
            if (l->missing) continue;
            if (time < end) {
                count++;
                l->missing = o.size;
                if (send_all(l->fd, message, message_size)) fail("the websocket is gone");
            } else {
                epoll_ctl(loop, EPOLL_CTL_DEL, l->fd, NULL);
                open--;
            }
        }
    }
    printf("{\"rate\": %.1f}\n", (double)count / o.seconds);
}

/* ---- one way */

static void bulk(int pulls) {
    char line[100];
    uint64_t done = 0, total = 0;
    struct listener l = {.fd = open_websocket(""), .drops = pulls};
    uint64_t bytes = o.size;
    size_t per_block;
    o.size = o.message;
    prepare_message();
    per_block = o.rate || message_size > MIB ? 1 : MIB / message_size;
    char *block = malloc(per_block * message_size);
    for (size_t n = 0; n < per_block; n++) memcpy(block + n * message_size, message, message_size);
    int64_t began = now();
    do {
        static const unsigned char mask[4] = {0};
        unsigned char first[200];
        if (pulls) snprintf(line, sizeof line, "send %llu %llu %llu\n", (unsigned long long)bytes,
                            (unsigned long long)o.message, (unsigned long long)o.rate);
        else snprintf(line, sizeof line, "take %llu\n", (unsigned long long)bytes);
        size_t header = frame_header(first, 2, strlen(line), mask);
        memcpy(first + header, line, strlen(line));
        l.missing = pulls ? bytes : 2;
        if (send_all(l.fd, first, header + strlen(line))) fail("the websocket is gone");
        if (!pulls && pour(l.fd, block, per_block, message_size, o.message, bytes, o.rate)) fail("the websocket is gone");
        while (l.missing) listen_to(&l);
        total += bytes;
        done++;
    } while (o.seconds && now() - began < (int64_t)(o.seconds * 1e9));
    printf("{\"times\": %llu, \"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)done, (unsigned long long)total,
           (double)(now() - began) / 1e9);
}

static void pull(void) { bulk(1); }

static void push(void) { bulk(0); }

/* ---- opening */

static void open_many(int keep) {
    for (int n = 0; n < o.number; n++) {
        int64_t began = now();
        int fd = open_websocket("");
        note(now() - began);
        if (!keep) close(fd);
    }
    double half = quantile(0.5);
    printf("{\"p50\": %.1f, \"p99\": %.1f}\n", half, quantile(0.99));
    fflush(stdout);
}

static void connect_times(void) { open_many(0); }

static void hold(void) {
    char byte;
    open_many(1);
    while (read(0, &byte, 1) > 0) {}
}
