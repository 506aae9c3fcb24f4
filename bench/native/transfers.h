/* Large and slow bodies, both ways. Each runs in a thread of its own. */
#pragma once
#include "conn.h"

static char block[MIB];

static void bytes(struct conn *c) {
    char head[200];
    int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                        "Content-Length: %llu\r\n\r\n", (unsigned long long)c->count);
    size_t piece = c->rate ? 64 * KIB : MIB;
    if (send_all(c->fd, head, (size_t)size) || pour(c->fd, block, 1, piece, piece, c->count, c->rate)) gone(c);
}

static void events(struct conn *c) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    char event[100], chunk[120];
    int64_t began = now();
    int failed = send_all(c->fd, head, sizeof head - 1);
    for (uint64_t n = 0; n < c->count && !failed; n++) {
        sleep_until(began + (int64_t)(n * c->rate) * 1000);
        int size = snprintf(event, sizeof event, "data: %lld\n\n", (long long)now());
        size = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", size, event);
        failed = send_all(c->fd, chunk, (size_t)size);
    }
    if (failed || send_all(c->fd, "0\r\n\r\n", 5)) gone(c);
}

/* The body of a request; the part that has arrived with the head is in c->text. */
struct body {
    int fd;
    size_t at, end;
    char data[256 * KIB];
};

static int more(struct body *b) {
    ssize_t count = recv(b->fd, b->data, sizeof b->data, 0);
    b->at = 0;
    b->end = count > 0 ? (size_t)count : 0;
    return count > 0;
}

static int skip(struct body *b, uint64_t size) {
    for (;;) {
        size_t part = b->end - b->at < size ? b->end - b->at : (size_t)size;
        b->at += part;
        size -= part;
        if (!size) return 1;
        if (!more(b)) return 0;
    }
}

static int chunk_size(struct body *b, uint64_t *size) {
    char line[100];
    for (size_t n = 0; n < sizeof line; n++) {
        if (b->at == b->end && !more(b)) return 0;
        line[n] = b->data[b->at++];
        if (line[n] == '\n') {
            *size = strtoull(line, NULL, 16);
            return 1;
        }
    }
    return 0;
}

static void upload(struct conn *c) {
    struct body *b = malloc(sizeof *b);
    uint64_t total = c->count, size;
    int failed;
    b->fd = c->fd;
    b->at = 0;
    memcpy(b->data, c->text, b->end = c->have);
    if (c->size) { /* chunked */
        for (total = 0; !(failed = !chunk_size(b, &size)) && size; total += size)
            if ((failed = !skip(b, size + 2))) break;
        if (!failed) failed = !skip(b, 2);
    } else {
        failed = !skip(b, total);
    }
    free(b);
    char answer[200], length[40];
    int digits = snprintf(length, sizeof length, "%llu", (unsigned long long)total);
    int whole = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", digits, length);
    c->have = 0;
    if (failed || send_all(c->fd, answer, (size_t)whole)) gone(c);
}
