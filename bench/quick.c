/* An origin server that listens about a millisecond after its start: what is left of a cold start is the supervisor's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    char request[65536];

    if (argc < 2) return 2;
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) return 1;
    for (;;) {
        int client = accept(server, NULL, NULL);
        size_t size = 0;
        while (client >= 0 && size < sizeof request - 1) {
            ssize_t count = read(client, request + size, sizeof request - 1 - size);
            if (count <= 0) break;
            request[size += (size_t)count] = 0;
            if (strstr(request, "\r\n\r\n")) {
                if (write(client, answer, sizeof answer - 1) < 0) break;
                break;
            }
        }
        if (client >= 0) close(client);
    }
}
