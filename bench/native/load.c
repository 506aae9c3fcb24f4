/* The load generator of the benchmarks: it must not be what is measured. (GETs of small things are left to wrk.)

   load CASE PORT PATH [OPTION VALUE ...]

   download    GETs a body and drops it                          -t: again and again for so many seconds
   upload      PUTs a body of -s bytes; -k 1: chunked            -t, and -r bytes per second
   events      reads -n streams of server-sent events that hold the time at which they were sent
   probe       GETs at -r per second for -t seconds
   echo        websockets, -c of them: a message of -s bytes, and the next when it is back, for -t seconds
   pace        one websocket: the same at -r per second
   pull, push  one websocket: -s bytes in messages of -m bytes, one way; pull with -r bytes per second; -t: again and again
   connect     opens and closes -n websockets, one after the other
   hold        opens -n websockets, and keeps them until its input ends

   -H adds a header field. What was measured is one line of JSON: rates per second, times in microseconds. */
#include "client.h"
#include "websocket.h"

static char megabyte[MIB];

/* Whether to go on with what is done "again and again"; once without -t. */
static int again(int64_t began, uint64_t done) {
    return o.seconds ? now() - began < (int64_t)(o.seconds * 1e9) : !done;
}

static void told(int64_t began, uint64_t times_done, uint64_t payload) {
    double seconds = (double)(now() - began) / 1e9;
    printf("{\"times\": %llu, \"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)times_done,
           (unsigned long long)payload, seconds);
}

static void download(void) {
    static struct answer a;
    int fd = dial();
    int64_t began = now();
    uint64_t done = 0, total = 0;
    for (; again(began, done); done++) {
        ask(fd, "GET", "");
        hear(fd, &a, 200);
        if (a.length < 0) fail("the length of the body is not told");
        /* The kernel drops the bytes: nothing is copied. */
        for (uint64_t left = (uint64_t)a.length - a.have; left;)
            left -= receive(fd, megabyte, left < 64 * MIB ? left : 64 * MIB, MSG_TRUNC);
        total += (uint64_t)a.length;
    }
    told(began, done, total);
}

/* The body of an upload: `unit` bytes on the wire for each `payload`. */
static void upload(void) {
    static struct answer a;
    size_t payload = 64 * KIB, unit = payload, times_in_block;
    char more[100] = "Transfer-Encoding: chunked\r\n", *block;
    int fd = dial();
    if (o.chunked) unit += 9;
    else snprintf(more, sizeof more, "Content-Length: %llu\r\n", (unsigned long long)o.size);
    times_in_block = o.rate ? 1 : 16;
    block = calloc(times_in_block, unit);
    for (size_t n = 0; o.chunked && n < times_in_block; n++) {
        memcpy(block + n * unit, "10000\r\n", 7);
        memcpy(block + (n + 1) * unit - 2, "\r\n", 2);
    }
    int64_t began = now();
    uint64_t done = 0;
    for (; again(began, done); done++) {
        ask(fd, "PUT", more);
        int failed = pour(fd, block, times_in_block, unit, payload, o.size, o.rate);
        if (!failed && o.chunked) failed = send_all(fd, "0\r\n\r\n", 5);
        hear(fd, &a, 200);
        while (a.length > 0 && a.have < (size_t)a.length) a.have += receive(fd, a.data + a.have, 100, 0);
        if (failed || strtoull(a.data, NULL, 10) != o.size) fail("of %llu bytes arrived %.40s", (unsigned long long)o.size, a.data);
    }
    told(began, done, done * o.size);
    free(block);
}

static int64_t firsts[1000];

static void events(void) {
    static struct answer a;
    for (int n = 0; n < o.number && n < 1000; n++) {
        int fd = dial(), seen = 0;
        int64_t began = now();
        ask(fd, "GET", "");
        hear(fd, &a, 200);
        for (;;) {
            char *at = a.data, *next;
            int64_t arrived = now();
            while ((next = strstr(at, "\n\n")) != NULL) {
                char *data = strstr(at, "data: "); /* the lengths of chunks stand between events */
                if (!data || data > next) fail("not an event: %.100s", at);
                if (seen++) note(arrived - atoll(data + 6));
                else firsts[n] = arrived - began;
                at = next + 2;
            }
            if (a.length >= 0 ? (a.length -= at - a.data) <= 0 : strstr(at, "0\r\n\r\n") != NULL) break;
            a.have -= (size_t)(at - a.data);
            memmove(a.data, at, a.have + 1);
            a.have += receive(fd, a.data + a.have, sizeof a.data - 1 - a.have, 0);
            a.data[a.have] = 0;
        }
        close(fd);
    }
    double delay = quantile(0.5), most = quantile(0.99);
    memcpy(times, firsts, sizeof firsts);
    timed = (size_t)o.number;
    printf("{\"first\": %.1f, \"delay\": %.1f, \"p99\": %.1f}\n", quantile(0.5), delay, most);
}

/* ---- at a steady pace: the time of each exchange, from when it was due if the one before was late */

static void steady(void (*exchange)(int), int fd) {
    int64_t began = now(), end = began + (int64_t)(o.seconds * 1e9), late = 0;
    for (uint64_t n = 0;; n++) {
        int64_t due = began + (int64_t)((double)n / (double)o.rate * 1e9), from;
        if (due > end) break;
        from = late ? due : (sleep_until(due), now());
        exchange(fd);
        int64_t done = now();
        note(done - from);
        late = done > due + (int64_t)(1e9 / (double)o.rate);
    }
    size_t count = timed;
    printf("{\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f, \"times\": %zu}\n", quantile(0.5), quantile(0.9),
           quantile(0.99), quantile(1), count);
}

static void get(int fd) {
    static struct answer a;
    ask(fd, "GET", "");
    hear(fd, &a, 200);
    while (a.length > 0 && a.have < (size_t)a.length) a.have += receive(fd, a.data, sizeof a.data, 0);
}

static void probe(void) {
    int fd = dial();
    get(fd);
    steady(get, fd);
}

static void pace(void) {
    int fd = open_websocket("echo\n");
    prepare_message();
    round_trip(fd);
    steady(round_trip, fd);
}

int main(int argc, char **argv) {
    static const struct { const char *name; void (*run)(void); } cases[] = {
        {"download", download}, {"upload", upload}, {"events", events}, {"probe", probe}, {"pace", pace},
        {"echo", echo}, {"pull", pull}, {"push", push}, {"connect", connect_times}, {"hold", hold},
    };
    static char fields[8 * KIB];
    if (argc < 4) fail("load CASE PORT PATH [OPTION VALUE ...]");
    o.port = atoi(argv[2]);
    o.path = argv[3];
    o.fields = fields;
    for (int n = 4; n + 1 < argc; n += 2) {
        const char *value = argv[n + 1];
        switch (argv[n][1]) {
        case 'H': snprintf(fields + strlen(fields), sizeof fields - strlen(fields), "%s\r\n", value); break;
        case 'n': o.number = atoi(value); break;
        case 'c': o.connections = atoi(value); break;
        case 'k': o.chunked = atoi(value); break;
        case 's': o.size = strtoull(value, NULL, 10); break;
        case 'm': o.message = strtoull(value, NULL, 10); break;
        case 'r': o.rate = strtoull(value, NULL, 10); break;
        case 't': o.seconds = atof(value); break;
        default: fail("there is no option %s", argv[n]);
        }
    }
    signal(SIGPIPE, SIG_IGN);
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++)
        if (!strcmp(argv[1], cases[n].name)) {
            cases[n].run();
            return 0;
        }
    fail("there is no case %s", argv[1]);
}
