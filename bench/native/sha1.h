/* SHA-1 (RFC 3174) of a short text, in base64: what a websocket's handshake is answered with. */
#pragma once
static const char *sha1_base64(const char *text, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char encoded[29];
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0}, w[80];
    unsigned char message[128] = {0}, digest[21] = {0};
    size_t blocks = (size + 8) / 64 + 1;
    memcpy(message, text, size); /* at most 119 bytes */
    message[size] = 0x80;
    message[blocks * 64 - 2] = (unsigned char)(size * 8 >> 8);
    message[blocks * 64 - 1] = (unsigned char)(size * 8);
    for (size_t block = 0; block < blocks; block++) {
        const unsigned char *m = message + block * 64;
        for (int t = 0; t < 16; t++)
            w[t] = (uint32_t)m[4 * t] << 24 | (uint32_t)m[4 * t + 1] << 16 | (uint32_t)m[4 * t + 2] << 8 | m[4 * t + 3];
        for (int t = 16; t < 80; t++) {
            uint32_t x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16];
            w[t] = x << 1 | x >> 31;
        }
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int t = 0; t < 80; t++) {
            uint32_t f = t < 20 ? (b & c) | (~b & d) : t >= 40 && t < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
            uint32_t k = t < 20 ? 0x5A827999 : t < 40 ? 0x6ED9EBA1 : t < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
            uint32_t next = (a << 5 | a >> 27) + f + e + w[t] + k;
            e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int n = 0; n < 20; n++) digest[n] = (unsigned char)(h[n / 4] >> (24 - 8 * (n % 4)));
    for (int n = 0; n < 7; n++) {
        uint32_t three = (uint32_t)digest[3 * n] << 16 | (uint32_t)digest[3 * n + 1] << 8 | digest[3 * n + 2];
        for (int m = 0; m < 4; m++) encoded[4 * n + m] = digits[three >> (18 - 6 * m) & 63];
    }
    encoded[27] = '=';
    return encoded;
}
