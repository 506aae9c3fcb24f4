/* One connection of the origin server, and how a thread takes it over for a while. */
#pragma once
#include "net.h"

enum mode { HTTP, LINE, ECHO, TAKE };

struct conn {
    int fd, framed;
    enum mode mode;
    char text[16 * KIB]; /* the head of a request, or a line; what follows a head when a thread takes over */
    size_t have;
    struct frames frames;
    uint64_t left; /* TAKE: bytes to come */
    void (*work)(struct conn *);
    uint64_t count, size, rate;
};

static int loop; /* epoll's */

static void watch(struct conn *c) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
}

static void leave(struct conn *c) {
    close(c->fd);
    free(c);
}

static void *run(void *argument) {
    struct conn *c = argument;
    c->work(c);
    if (c->fd < 0) free(c);
    else watch(c);
    return NULL;
}

/* The work ends with the connection back in the loop, or closed. Nothing else may touch it meanwhile. */
static void in_thread(struct conn *c, void (*work)(struct conn *)) {
    pthread_t thread;
    pthread_attr_t attributes;
    c->work = work;
    epoll_ctl(loop, EPOLL_CTL_DEL, c->fd, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, run, c)) exit(1);
    pthread_attr_destroy(&attributes);
}

/* Told by the work itself. */
static void gone(struct conn *c) {
    close(c->fd);
    c->fd = -1;
}

