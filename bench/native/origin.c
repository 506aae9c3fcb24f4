/* The origin server of the benchmarks: prepared answers and no more, so that it is not what is measured.

   origin PORT [PORT ...] [--raw] [--delay SECONDS]

   GET /bytes/N[/RATE]      N bytes, at RATE bytes per second
   GET /events/N/PAUSE      N server-sent events, PAUSE microseconds apart; each holds the time at which it was sent
   GET /page                a page with 100 assets: asset/N.css, .js, .gif, of 4 KiB each
   GET anything else        1 KiB
   PUT, POST                takes the body, answers with its length
   GET with Upgrade         a websocket. Its first message is a line that says what follows; with --raw, the same line
                            begins a plain connection:
                              echo              each message comes back
                              take N            after N bytes, "ok"
                              send N SIZE RATE  N bytes in messages of SIZE bytes

   One thread waits for small requests and messages; what takes longer than one answer has a thread of its own.
   It listens about a millisecond after its start, or after the delay. */
#include "sessions.h"
#include "sha1.h"
#include "transfers.h"

static char small[KIB + 128];
static size_t small_size;

static const char *field(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) + strspn(found + strlen(name), " ") : NULL;
}

static int upgrade(struct conn *c, const char *key) {
    char text[100], answer[300];
    int size = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    size = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", sha1_base64(text, (size_t)size));
    c->framed = 1;
    c->mode = LINE;
    return send_all(c->fd, answer, (size_t)size);
}

/* Small assets that cost a browser little: empty scripts and style sheets, and an image of one pixel. */
static int page(struct conn *c, const char *path) {
    static const char *kinds[] = {"css", "text/css", "js", "text/javascript", "gif", "image/gif"};
    static const char pixel[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";
    static char body[16 * KIB], answer[20 * KIB];
    const char *type = "text/html";
    size_t size = 0;
    if (!strncmp(path, "/page", 5)) {
        size += (size_t)sprintf(body, "<!doctype html><title>100 assets</title>");
        for (int n = 0; n < 20; n++) size += (size_t)sprintf(body + size, "<link rel=stylesheet href=asset/%d.css>", n);
        for (int n = 0; n < 40; n++) size += (size_t)sprintf(body + size, "<script defer src=asset/%d.js></script>", n);
        for (int n = 0; n < 40; n++) size += (size_t)sprintf(body + size, "<img alt='' src=asset/%d.gif>", n);
    } else {
        const char *dot = strchr(path, '.');
        for (int n = 0; dot && n < 6; n += 2) if (!strncmp(dot + 1, kinds[n], strlen(kinds[n]))) type = kinds[n + 1];
        memset(body, ' ', size = 4 * KIB);
        if (!strcmp(type, "image/gif")) memcpy(body, pixel, sizeof pixel - 1);
    }
    int head = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
                        "Content-Length: %zu\r\n\r\n", type, size);
    memcpy(answer + head, body, size);
    return send_all(c->fd, answer, (size_t)head + size);
}

/* Answers one request, whose head is complete. -1: the connection is over; 1: a thread has it now. */
static int answer(struct conn *c, const char *head) {
    const char *path = strchr(head, ' ') + 1, *value;
    unsigned long long count, rate = 0;
    if (*head == 'P') {
        c->size = strcasestr(head, "\r\ntransfer-encoding: chunked") != NULL;
        c->count = (value = field(head, "\r\ncontent-length:")) ? strtoull(value, NULL, 10) : 0;
        in_thread(c, upload);
        return 1;
    } else if ((value = field(head, "\r\nsec-websocket-key:"))) {
        return upgrade(c, value);
    } else if (sscanf(path, "/bytes/%llu/%llu", &count, &rate) >= 1) {
        c->count = count;
        c->rate = rate;
        in_thread(c, bytes);
        return 1;
    } else if (sscanf(path, "/events/%llu/%llu", &count, &rate) == 2) {
        c->count = count;
        c->rate = rate;
        in_thread(c, events);
        return 1;
    } else if (!strncmp(path, "/page", 5) || !strncmp(path, "/asset", 6)) {
        return page(c, path);
    } else if (send_all(c->fd, small, small_size)) {
        return -1;
    }
    return strcasestr(head, "\r\nconnection: close") ? -1 : 0;
}

/* Parts of requests, as they arrive; returns as answer does. */
static int requests(struct conn *c, unsigned char *data, size_t size) {
    memcpy(c->text + c->have, data, size);
    c->have += size;
    for (;;) {
        c->text[c->have] = 0;
        char *end = strstr(c->text, "\r\n\r\n");
        if (!end) return 0;
        static char head[sizeof c->text];
        size_t length = (size_t)(end - c->text) + 4;
        memcpy(head, c->text, length);
        head[length] = 0;
        memmove(c->text, c->text + length, c->have -= length);
        int ended = answer(c, head);
        if (ended) return ended;
        if (c->mode != HTTP) return c->have ? feed(c, (unsigned char *)c->text, c->have) : 0;
    }
}

/* ---- the loop */

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    address.sin_port = htons((unsigned short)port);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 1024)) exit(1);
    return server;
}

int main(int argc, char **argv) {
    static unsigned char input[256 * KIB];
    struct epoll_event ready[128];
    int raw = 0;
    signal(SIGPIPE, SIG_IGN);
    for (int n = 1; n < argc; n++) {
        if (!strcmp(argv[n], "--raw")) raw = 1;
        if (!strcmp(argv[n], "--delay")) usleep((useconds_t)(atof(argv[n + 1]) * 1e6));
    }
    small_size = (size_t)sprintf(small, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n");
    memset(small + small_size, 'x', KIB);
    small_size += KIB;
    loop = epoll_create1(0);
    for (int n = 1; n < argc && argv[n][0] != '-'; n++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)listen_on(atoi(argv[n])) << 1 | 1};
        epoll_ctl(loop, EPOLL_CTL_ADD, (int)(event.data.u64 >> 1), &event);
    }
    for (;;) {
        int count = epoll_wait(loop, ready, 128, -1);
        for (int n = 0; n < count; n++) {
            if (ready[n].data.u64 & 1) { /* a listening socket: pointers are even */
                int fd = accept((int)(ready[n].data.u64 >> 1), NULL, NULL);
                if (fd < 0) continue;
                struct conn *c = calloc(1, sizeof *c);
                prepare(c->fd = fd);
                c->mode = raw ? LINE : HTTP;
                watch(c);
                continue;
            }
            struct conn *c = ready[n].data.ptr;
            /* What is left of a body when its head is complete has to fit beside it. */
            size_t room = c->mode == HTTP ? sizeof c->text - 1 - c->have : sizeof input;
            int drops = c->mode == TAKE && !c->framed; /* nobody looks at these bytes, so they are not copied */
            ssize_t size = recv(c->fd, input, drops ? c->left : room, drops ? MSG_TRUNC : 0);
            if (size <= 0) leave(c);
            else if ((c->mode == HTTP ? requests : feed)(c, input, (size_t)size) < 0) leave(c);
        }
    }
}
