/* Websockets, and connections without HTTP: their first line says what they do. */
#pragma once
#include "conn.h"

static void messages(struct conn *c) {
    unsigned char header[14];
    size_t length = c->framed ? frame_header(header, 2, c->size, NULL) : 0, unit = length + c->size;
    size_t times = c->rate || unit > MIB ? 1 : MIB / unit;
    char *block = calloc(times, unit);
    for (size_t n = 0; n < times; n++) memcpy(block + n * unit, header, length);
    if (pour(c->fd, block, times, unit, c->size, c->count, c->rate)) gone(c);
    free(block);
}

/* -1: no such line; 1: a thread has the connection now. */
static int begin(struct conn *c) {
    unsigned long long count = 0, size = 0, rate = 0;
    c->have = 0;
    if (!strncmp(c->text, "echo", 4)) {
        c->mode = ECHO;
    } else if (sscanf(c->text, "take %llu", &count) == 1) {
        c->left = count;
        c->mode = TAKE;
    } else if (sscanf(c->text, "send %llu %llu %llu", &count, &size, &rate) >= 2) {
        c->count = count;
        c->size = size;
        c->rate = rate;
        in_thread(c, messages);
        return 1;
    } else {
        return -1;
    }
    return 0;
}

/* Payload bytes; those that go back are put to `out`. -1: the connection is over; 1: a thread has it now. */
static int take(struct conn *c, const unsigned char *data, size_t size, unsigned char *out, size_t *filled) {
    unsigned char answer[16];
    if (c->mode == ECHO) {
        memcpy(out + *filled, data, size);
        *filled += size;
    } else if (c->mode == LINE) {
        for (size_t n = 0; n < size; n++) {
            if (c->have >= sizeof c->text - 1) return -1;
            c->text[c->have++] = (char)data[n];
            if (data[n] == '\n') {
                c->text[c->have] = 0;
                int begun = begin(c);
                return begun ? begun : take(c, data + n + 1, size - n - 1, out, filled);
            }
        }
    } else if (c->left && (c->left -= c->left < size ? c->left : size) == 0) {
        size_t header = c->framed ? frame_header(answer, 2, 2, NULL) : 0;
        memcpy(answer + header, "ok", 2);
        c->mode = LINE;
        return send_all(c->fd, answer, header + 2);
    }
    return 0;
}

/* What has arrived; returns as take does. */
static int feed(struct conn *c, unsigned char *data, size_t size) {
    static unsigned char out[2 * MIB];
    size_t filled = 0;
    int ended = 0;
    if (!c->framed) {
        ended = take(c, data, size, out, &filled);
        size = 0;
    }
    while (size && !ended) {
        struct frames *f = &c->frames;
        if (!f->left) {
            size--;
            if (frame_begins(f, *data++)) {
                if (f->opcode == 8) return -1;
                if (c->mode == ECHO && f->opcode < 8) {
                    filled += frame_header(out + filled, f->opcode, f->size, NULL);
                    if (!f->fin) out[filled - (f->size < 126 ? 2 : f->size < 65536 ? 4 : 10)] &= 127;
                }
            }
            continue;
        }
        size_t part = f->left < size ? (size_t)f->left : size;
        f->left -= part;
        unmask(f, data, part);
        if (f->opcode < 8) ended = take(c, data, part, out, &filled);
        data += part;
        size -= part;
    }
    return ended ? ended : filled ? send_all(c->fd, out, filled) : 0;
}
