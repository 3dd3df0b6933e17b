/*
 * The core of IotCenter for microcontrollers; see iotcenter.h for how to use it. In order:
 *
 *     bytes, the clock, the window                 what the rest is made of
 *     SHA-256 and HMAC, AES-128, records           what is sealed and opened
 *     writing and reading MessagePack              what is in it
 *     handshake, session, messages, commands       the conversation
 *     the timers, and what the application calls   the doors
 *
 * What is declared INNER stands a second time in iotcenter_avr.S, in assembly, which takes much less flash on AVR. The C
 * says what it is to do: extras/selftest.c holds both against the same results.
 */
#include "iotcenter.h"

#include <stddef.h>

#if defined(__AVR__) && defined(__GNUC__) && !defined(__clang__)
/* What gcc keeps in registers and computes in advance costs more on AVR, which has few of them, than to do it again. */
#pragma GCC optimize("no-gcse", "no-tree-dominator-opts", "no-tree-fre", "no-move-loop-invariants", "no-tree-scev-cprop")
#pragma GCC optimize("no-ipa-sra", "no-rerun-cse-after-loop", "ira-algorithm=priority")
#endif

enum {
    HELLO = 0xC1, WELCOME, UP, DOWN, RESET, OPEN,
    SUITE = 0x21,
    HELLO_SIZE = 52, WELCOME_SIZE = 44, RESET_SIZE = 9, PREFIX_SIZE = 56, HEADER_SIZE = 9, TAG_SIZE = 16, BLOCK = 16,
    MAC_AT = 36, LABEL = 10,
    SLEEPY = 2, FRESH_BOOT = 4
};

enum { MAP = 0x80, ARRAY = 0x90, TEXT = 0xA0, NIL = 0xC0, INTEGER = 0xCC };

enum kind { PING, REPORT, COMMAND, RESULT, POLL, LOG, BLOCKS, CLOSE, CONFIGURATION, OFFER };
enum { KIND = 0x0F, ACKNOWLEDGES = 0x80, CONFIRMABLE = 0x40, MORE = 0x20 };

enum phase { STOPPED, NO_SESSION, UNCONFIRMED, CONFIRMED };
/* What `message` holds: nothing, one that is being written, or, the kind alone, one that is on its way. */
enum slot { EMPTY = 0x40, WRITING = 0x80 };

enum timer { MESSAGE_TIMER, HELLO_TIMER, KEEPALIVE_TIMER, LISTEN_TIMER, HOLD_TIMER, TIMERS };

#define SECOND 4 /* Time is counted in quarters of a second, which go into 16 bits for four hours. */
#define QUARTER 250
#define NEVER 0xFFFF
#define MOST_PASSED 0x800000UL /* at a time: 24 days */

enum {
    WINDOW = 32,
    COMMANDS = 8,
    TRIES = 5,                   /* a message is sent so often before the path counts as silent (RFC 7252) */
    UNANSWERED = 3,              /* so many such rounds, and the session is made anew */
    FIRST_TIMEOUT = 2 * SECOND,  /* doubled each time */
    SLOWEST = 5,                 /* HELLO comes every 2 s << 5 in the end, 64 s; */
    SLOWEST_ASLEEP = 9,          /* from a device on battery every 17 minutes */
    OPEN_LIFE = 50 * SECOND,     /* a WELCOME is good for 60 s */
    CLOSE_PAUSE = 60 * SECOND,   /* before the next HELLO to a server that said goodbye */
    HELLO_PAUSE = 10 * SECOND,   /* between two HELLOs that somebody else brought about */
    KEEPALIVE = 25,              /* seconds, where the server names none: Linux' NAT forgets after 30 */
    LONGEST_KEEPALIVE = 3600,
    ANSWER_WINDOW = 3 * SECOND,  /* how long a sleepy device listens for an answer, */
    LISTEN_WINDOW = SECOND + 1,  /* and for what an acknowledgement announced: 1 s at least */
    HOLD = 5 * SECOND,           /* how long the next message makes room for a command that found none */
    AGE_SIZE = 5,
    SAME_NONCE = 4,              /* HELLOs in a row */
    MOST_ELEMENTS = 0x0F         /* of an array whose length takes one byte */
};

#define SESSION_LIFE (23UL * 3600 * SECOND) /* the new one stands before the old one ends, at 24 hours */
#define RENEW_AT 0x7F                       /* likewise, the highest byte of the number: the last record is 2^31 - 1 */

/* What gcc would otherwise copy into its callers, to the cost of flash, or of stack where they go on calling. */
#ifdef __GNUC__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE
#endif

#ifdef __AVR__
#define INNER extern
#else
#define INNER static
#endif

/* Texts of ours lie in flash, where the chip can read them there. */
#ifdef __AVR__
#define FLASH(text) PSTR(text)
#else
#define FLASH(text) (text)
#endif

/* ---- The inner parts: in assembly on AVR, in C for all other chips ---- */

/* A number, big-endian. */
INNER void iotcenter_put32(uint8_t *out, uint32_t number);
INNER uint32_t iotcenter_get32(const uint8_t *in);

/* What lies in flash, to where it can be read. */
INNER void iotcenter_copy_from_flash(void *out, const void *from, uint8_t size);

/* Lets time pass, and the timers run, up to what the clock says now. What is over 24 days is left for the next time. */
INNER void iotcenter_pass(struct iotcenter_clock *clock, uint32_t now);

/* Whether a record of this number may be taken: it is new, and not too far back. More than 65,536 in a row are never
 * lost: nor is such a leap taken. `mark` notes that the record was. */
INNER bool iotcenter_newer(struct iotcenter_seen *seen, uint32_t number, bool mark);

/* Writing into the message, as MessagePack. After what does not fit, `filled` is more than `room`. */
INNER void iotcenter_write_byte(struct iotcenter *device, uint8_t byte);
INNER void iotcenter_write_bytes(struct iotcenter *device, const uint8_t *data, uint16_t size);

/* `type` is that of a number of 32 bits. */
INNER void iotcenter_write_32(struct iotcenter *device, uint8_t type, uint32_t bits);

/* Up to 255 bytes fit. */
INNER void iotcenter_write_text(struct iotcenter *device, const char *text, uint16_t size);
INNER void iotcenter_write_string(struct iotcenter *device, const char *text);

/* Writes what lies in flash: MessagePack as it goes out, a text behind its first byte. It ends with a zero. */
INNER void iotcenter_write_flash(struct iotcenter *device, const char *text);

/* HMAC, with a key of up to 64 bytes, or the mere digest where its size is NO_KEY. Writes 32 bytes to `out` in the end, or
 * with SHORT in the key's size the first 16 of them; that may be where key or data lie. HKDF-Extract is this with the salt
 * as the key. */
enum { SHORT = 0x80, NO_KEY = 0x7F };

INNER void iotcenter_hmac(const uint8_t *key, uint8_t key_size, const uint8_t *data, uint8_t size, uint8_t *out);

/* HKDF-Expand: `label` is a text in flash, of up to LABEL bytes; `size` is 16, 32 or 48. `out` may be where the key lies,
 * where that is not 48. */
INNER void iotcenter_expand(const uint8_t *key, const char *label, uint8_t *out, uint8_t size);

/* Not 0 where so many bytes differ; takes equally long for all. */
INNER uint8_t iotcenter_differ(const uint8_t *one, const uint8_t *other, uint8_t size);

/* Records are AEAD_AES_128_CBC_HMAC_SHA_256 (RFC 7518, section 5.2.3), the IV made of the header.
 *
 * Encrypts and tags the record, whose header is complete and whose plaintext of `size` bytes lies behind it. There are
 * 32 bytes more behind that. Returns the size of the record. */
INNER uint16_t iotcenter_seal(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size);

/* Checks the record of `size` bytes, which is of a size that a record can have, and decrypts it in place. Returns the
 * size of the plaintext behind the header; 0 where the record is not genuine. */
INNER uint16_t iotcenter_open(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size);

#ifndef __AVR__

static void iotcenter_put32(uint8_t *out, uint32_t number)
{
    for (uint8_t i = 4; i-- > 0; number >>= 8)
        out[i] = (uint8_t)number;
}

static uint32_t iotcenter_get32(const uint8_t *in)
{
    uint32_t number = 0;
    for (uint8_t i = 0; i < 4; i++)
        number = number << 8 | in[i];
    return number;
}

static void iotcenter_copy_from_flash(void *out, const void *from, uint8_t size)
{
    memcpy(out, from, size);
}

static void iotcenter_pass(struct iotcenter_clock *clock, uint32_t now)
{
    uint32_t passed = (now - clock->milliseconds) / QUARTER;
    if (passed > MOST_PASSED)
        passed = MOST_PASSED;
    clock->milliseconds += passed * QUARTER;
    clock->quarters += passed;
    for (uint8_t i = 0; i < TIMERS; i++)
        clock->timers[i] = clock->timers[i] > passed ? clock->timers[i] - (uint16_t)passed : 0;
}

static bool iotcenter_newer(struct iotcenter_seen *seen, uint32_t number, bool mark)
{
    uint32_t behind = seen->highest - number, ahead = 0 - behind;
    if (ahead - 1 < 0x10000) {
        if (mark) {
            seen->highest = number;
            seen->window = (ahead < WINDOW ? seen->window << ahead : 0) | 1;
        }
        return true;
    }
    if (behind >= WINDOW || seen->window >> behind & 1)
        return false;
    if (mark)
        seen->window |= (uint32_t)1 << behind;
    return true;
}

static void iotcenter_write_byte(struct iotcenter *device, uint8_t byte)
{
    if (device->filled < device->room)
        device->message[device->filled++] = byte;
    else
        device->filled = device->room + 1;
}

static void iotcenter_write_bytes(struct iotcenter *device, const uint8_t *data, uint16_t size)
{
    for (; size > 0; size--)
        iotcenter_write_byte(device, *data++);
}

static void iotcenter_write_32(struct iotcenter *device, uint8_t type, uint32_t bits)
{
    uint8_t bytes[5] = {type};
    iotcenter_put32(bytes + 1, bits);
    iotcenter_write_bytes(device, bytes, sizeof bytes);
}

static void iotcenter_write_text(struct iotcenter *device, const char *text, uint16_t size)
{
    if (size > 0xFF) {
        device->filled = device->room + 1;
        return;
    }
    if (size >= 0x20)
        iotcenter_write_byte(device, 0xD9);
    iotcenter_write_byte(device, (uint8_t)(size < 0x20 ? TEXT | size : size));
    iotcenter_write_bytes(device, (const uint8_t *)text, size);
}

static void iotcenter_write_string(struct iotcenter *device, const char *text)
{
    iotcenter_write_text(device, text, (uint16_t)strlen(text));
}

static void iotcenter_write_flash(struct iotcenter *device, const char *text)
{
    for (; *text != 0; text++)
        iotcenter_write_byte(device, (uint8_t)*text);
}

#endif

/* ---- SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869) ---- */

extern const uint8_t iotcenter_sha256_start[32];

const uint8_t iotcenter_sha256_start[32] IOTCENTER_FLASH = {
    0x6a, 0x09, 0xe6, 0x67, 0xbb, 0x67, 0xae, 0x85, 0x3c, 0x6e, 0xf3, 0x72, 0xa5, 0x4f, 0xf5, 0x3a,
    0x51, 0x0e, 0x52, 0x7f, 0x9b, 0x05, 0x68, 0x8c, 0x1f, 0x83, 0xd9, 0xab, 0x5b, 0xe0, 0xcd, 0x19,
};

extern const uint32_t iotcenter_sha256_rounds[64];

const uint32_t iotcenter_sha256_rounds[64] IOTCENTER_FLASH = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#ifndef __AVR__

/* Numbers in it are big-endian, as the standard counts bytes. */
struct sha256 {
    uint8_t state[32], words[64];
    uint16_t size; /* of all that was added: less than 8 KB */
};

static uint32_t rotate(uint32_t word, uint8_t by)
{
    return word >> by | word << (32 - by);
}

static void sha256_block(struct sha256 *hash)
{
    uint32_t s[8], w[16];
    for (uint8_t i = 0; i < 8; i++)
        s[i] = iotcenter_get32(hash->state + 4 * i);
    for (uint8_t i = 0; i < 16; i++)
        w[i] = iotcenter_get32(hash->words + 4 * i);
    for (uint8_t i = 0; i < 64; i++) {
        if (i >= 16) {
            uint32_t early = w[(i + 1) & 15], late = w[(i + 14) & 15];
            w[i & 15] += (rotate(early ^ rotate(early, 11), 7) ^ early >> 3) + w[(i + 9) & 15] +
                         (rotate(late ^ rotate(late, 2), 17) ^ late >> 10);
        }
        uint32_t e = s[4], a = s[0];
        uint32_t sum = s[7] + w[i & 15] + iotcenter_sha256_rounds[i] + (s[6] ^ (e & (s[5] ^ s[6]))) +
                       rotate(e ^ rotate(e ^ rotate(e, 14), 5), 6);
        uint32_t majority = (a & s[1]) | (s[2] & (a | s[1]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += sum;
        s[0] = sum + majority + rotate(a ^ rotate(a ^ rotate(a, 9), 11), 2);
    }
    for (uint8_t i = 0; i < 8; i++)
        iotcenter_put32(hash->state + 4 * i, iotcenter_get32(hash->state + 4 * i) + s[i]);
}

static void sha256_start(struct sha256 *hash)
{
    iotcenter_copy_from_flash(hash->state, iotcenter_sha256_start, sizeof hash->state);
    hash->size = 0;
}

static void sha256_byte(struct sha256 *hash, uint8_t byte)
{
    uint8_t at = hash->size++ % 64;
    hash->words[at] = byte;
    if (at == 63)
        sha256_block(hash);
}

/* Ends the message: the state is the digest then. */
static void sha256_finish(struct sha256 *hash)
{
    uint16_t bits = (uint16_t)(hash->size << 3);
    sha256_byte(hash, 0x80);
    while (hash->size % 64 != 56)
        sha256_byte(hash, 0);
    memset(hash->words + 56, 0, 6);
    hash->size += 6;
    sha256_byte(hash, (uint8_t)(bits >> 8));
    sha256_byte(hash, (uint8_t)bits);
}

/* HMAC of one piece and another behind it. */
static void hmac_of_two(const uint8_t *key, uint8_t key_size, const uint8_t *one, uint8_t size, const uint8_t *other,
                        uint16_t other_size, uint8_t *out)
{
    struct sha256 hash;
    uint8_t inner[32], pad = 0x36, own = key_size & NO_KEY;
    for (;;) {
        sha256_start(&hash);
        for (uint8_t i = 0; i < 64 && own != NO_KEY; i++)
            sha256_byte(&hash, i < own ? key[i] ^ pad : pad);
        for (; size > 0; size--)
            sha256_byte(&hash, *one++);
        for (; other_size > 0; other_size--)
            sha256_byte(&hash, *other++);
        sha256_finish(&hash);
        if (pad == 0x5C || own == NO_KEY)
            break;
        pad = 0x5C;
        one = memcpy(inner, hash.state, sizeof inner);
        size = sizeof inner;
    }
    memcpy(out, hash.state, key_size & SHORT ? 16 : 32);
}

static void iotcenter_hmac(const uint8_t *key, uint8_t key_size, const uint8_t *data, uint8_t size, uint8_t *out)
{
    hmac_of_two(key, key_size, data, size, NULL, 0, out);
}

static void iotcenter_expand(const uint8_t *key, const char *label, uint8_t *out, uint8_t size)
{
    uint8_t info[LABEL + 1], end = (uint8_t)strlen(label), before = 0;
    const uint8_t *last = NULL;
    memcpy(info, label, end);
    for (info[end] = 1;; info[end]++) {
        hmac_of_two(key, size < 32 ? 32 | SHORT : 32, last, before, info, end + 1, out);
        if (size <= 32)
            break;
        last = out;
        before = 32;
        out += 32;
        size -= 32;
    }
}

#endif

/* ---- AES-128 (FIPS 197), the round keys made as they are needed ---- */

extern const uint8_t iotcenter_aes_box[256];

const uint8_t iotcenter_aes_box[256] IOTCENTER_FLASH = {
    0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
    0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
    0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
    0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
    0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
    0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
    0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
    0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
    0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
    0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
    0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
    0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
    0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
    0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
    0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
    0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};

#ifndef __AVR__

/* The step of one that encrypts, and of one that decrypts: modulo 16, to the byte that follows once the rows are shifted. */
enum { ENCRYPT = 5, DECRYPT = 13 };

/* Twice the byte, in AES' field; without a branch, so that it takes equally long for all. */
static uint8_t twice(uint8_t byte)
{
    return (uint8_t)(byte << 1 ^ (0x1B & -(byte >> 7)));
}

static void first_column(uint8_t *key, uint8_t constant)
{
    key[0] ^= constant;
    for (uint8_t i = 0; i < 4; i++)
        key[i] ^= iotcenter_aes_box[key[12 + (i + 1) % 4]];
}

static void next_round_key(uint8_t *key, uint8_t constant)
{
    first_column(key, constant);
    for (uint8_t i = 4; i < BLOCK; i++)
        key[i] ^= key[i - 4];
}

static void previous_round_key(uint8_t *key, uint8_t constant)
{
    for (uint8_t i = BLOCK; i-- > 4;)
        key[i] ^= key[i - 4];
    first_column(key, constant);
}

/* Mixes the columns, or undoes it: that is mixing too, once four times every other byte was added. */
static void mix_columns(uint8_t *block, uint8_t step)
{
    for (uint8_t *c = block; c < block + BLOCK; c += 4) {
        uint8_t even = step == ENCRYPT ? 0 : twice(twice(c[0] ^ c[2]));
        uint8_t odd = step == ENCRYPT ? 0 : twice(twice(c[1] ^ c[3]));
        uint8_t first = c[0] ^ even, all = c[0] ^ c[1] ^ c[2] ^ c[3];
        for (uint8_t i = 0; i < 4; i++)
            c[i] ^= i % 2 == 0 ? even : odd;
        for (uint8_t i = 0; i < 4; i++)
            c[i] ^= all ^ twice(c[i] ^ (i < 3 ? c[i + 1] : first));
    }
}

/* The inverse of the affine half of the box: with it before and behind, the box is its own inverse. */
static uint8_t untwist(uint8_t byte)
{
    uint16_t twofold = (uint16_t)(byte << 8 | byte);
    return (uint8_t)(twofold >> 7 ^ twofold >> 5 ^ twofold >> 2 ^ 5);
}

/* Substitutes all bytes, and shifts the rows. */
static void substitute(uint8_t *block, uint8_t step)
{
    uint8_t before[BLOCK];
    memcpy(before, block, BLOCK);
    for (uint8_t i = 0; i < BLOCK; i++) {
        uint8_t byte = before[step * i % BLOCK];
        block[i] = step == ENCRYPT ? iotcenter_aes_box[byte] : untwist(iotcenter_aes_box[untwist(byte)]);
    }
}

static void add_key(uint8_t *block, const uint8_t *key)
{
    for (uint8_t i = 0; i < BLOCK; i++)
        block[i] ^= key[i];
}

/* Encrypts or decrypts one block in place. */
static void aes(const uint8_t *start, uint8_t *block, uint8_t step)
{
    uint8_t key[BLOCK], constants[10] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36};
    memcpy(key, start, BLOCK);
    for (uint8_t round = 0; step == DECRYPT && round < 10; round++)
        next_round_key(key, constants[round]);
    add_key(block, key);
    for (uint8_t round = 0; round < 10; round++) {
        if (step == DECRYPT && round > 0)
            mix_columns(block, step);
        substitute(block, step);
        if (step == ENCRYPT && round < 9)
            mix_columns(block, step);
        if (step == ENCRYPT)
            next_round_key(key, constants[round]);
        else
            previous_round_key(key, constants[9 - round]);
        add_key(block, key);
    }
}

/* ---- Records ---- */

static uint8_t iotcenter_differ(const uint8_t *one, const uint8_t *other, uint8_t size)
{
    uint8_t difference = 0;
    for (uint8_t i = 0; i < size; i++)
        difference |= one[i] ^ other[i];
    return difference;
}

/* Writes what is authenticated before the ciphertext: the header, and the IV. */
static void write_head_and_iv(const struct iotcenter_keys *keys, const uint8_t *header, uint8_t *head)
{
    uint8_t *iv = head + HEADER_SIZE;
    memcpy(head, header, HEADER_SIZE);
    memcpy(iv, header, 5);
    memset(iv + 5, 0, 7);
    memcpy(iv + 12, header + 5, 4);
    aes(keys->iv, iv, ENCRYPT);
}

/* Writes the tag. Uses up the eight bytes behind the ciphertext. */
static void record_tag(const struct iotcenter_keys *keys, const uint8_t *head, uint8_t *text, uint16_t size, uint8_t *tag)
{
    iotcenter_put32(text + size, 0);
    iotcenter_put32(text + size + 4, HEADER_SIZE * 8); /* the header's length, in bits */
    hmac_of_two(keys->mac, sizeof keys->mac | SHORT, head, HEADER_SIZE + BLOCK, text, size + 8, tag);
}

static uint16_t iotcenter_seal(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size)
{
    uint8_t head[HEADER_SIZE + BLOCK], tag[TAG_SIZE], *text = record + HEADER_SIZE, *last = head + HEADER_SIZE;
    uint8_t padding = BLOCK - size % BLOCK;
    write_head_and_iv(keys, record, head);
    memset(text + size, padding, padding);
    size += padding;
    for (uint16_t at = 0; at < size; at += BLOCK) {
        add_key(text + at, last);
        aes(keys->text, text + at, ENCRYPT);
        last = text + at;
    }
    record_tag(keys, head, text, size, tag);
    memcpy(text + size, tag, TAG_SIZE);
    return HEADER_SIZE + size + TAG_SIZE;
}

static uint16_t iotcenter_open(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size)
{
    uint8_t head[HEADER_SIZE + BLOCK], sent[TAG_SIZE], tag[TAG_SIZE], *text = record + HEADER_SIZE;
    size -= HEADER_SIZE + TAG_SIZE;
    write_head_and_iv(keys, record, head);
    memcpy(sent, text + size, TAG_SIZE);
    record_tag(keys, head, text, size, tag);
    if (iotcenter_differ(tag, sent, TAG_SIZE))
        return 0;
    for (uint16_t at = size; at > 0;) {
        at -= BLOCK;
        aes(keys->text, text + at, DECRYPT);
        add_key(text + at, at > 0 ? text + at - BLOCK : head + HEADER_SIZE);
    }
    uint8_t padding = text[size - 1];
    return padding <= BLOCK ? size - padding : 0;
}

#endif

/* ---- MessagePack: writing into the message ---- */

static uint32_t float_bits(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static NOINLINE void write_int(struct iotcenter *device, int32_t number)
{
    if (number >= 0 && number < 0x80)
        iotcenter_write_byte(device, (uint8_t)number);
    else
        iotcenter_write_32(device, 0xD2, (uint32_t)number);
}

static void write_value(struct iotcenter *device, const struct iotcenter_value *value)
{
    if (value->type == IOTCENTER_TEXT)
        iotcenter_write_string(device, value->as.text);
    else if (value->type == IOTCENTER_FLOAT)
        iotcenter_write_32(device, 0xCA, float_bits(value->as.number));
    else if (value->type == IOTCENTER_INT)
        write_int(device, value->as.integer);
    else
        iotcenter_write_byte(device, value->type == IOTCENTER_NONE ? NIL : value->as.integer != 0 ? 0xC3 : 0xC2);
}

/* Counts the element that was written since `began` into the array whose length stands at `count_at`. Where it did not
 * fit, all is as it was before. */
static bool counted(struct iotcenter *device, uint16_t count_at, uint16_t began)
{
    uint8_t *count = &device->message[count_at];
    if (device->filled > device->room || (*count & 0x0F) == MOST_ELEMENTS) {
        device->filled = began;
        return false;
    }
    ++*count;
    return true;
}

/* ---- MessagePack: reading a record; in assembly on AVR, in C for all other chips ---- */

/* Reads one element after the other. The last one read is described by its first byte, and by what lies behind that, or,
 * of an array or a map, by how many elements follow. */
struct reader {
    const uint8_t *at, *end, *data;
    uint16_t size;
    uint8_t type;
};

/* Its reader stands at its name; the arguments come behind that. */
struct iotcenter_command {
    struct reader reader;
};

/* Reads the next element, which is to be of this type. */
INNER bool iotcenter_next_is(struct reader *reader, uint8_t type);

/* Reads the next element, which is to be a whole number. */
INNER bool iotcenter_next_integer(struct reader *reader);

/* The lower 32 bits of the whole number that was read. */
INNER uint32_t iotcenter_integer(const struct reader *reader);

/* Whether what was read is this text. */
INNER bool iotcenter_reads_as(const struct reader *reader, const char *text);

/* Lets `reader` stand at the value of an argument. */
INNER bool iotcenter_find(const struct iotcenter_command *command, const char *name, struct reader *reader);

/* The types 0xC0 to 0xDF: how many bytes a number has, or the length of a text, an array or a map. Binary data,
 * extensions and lengths of 32 bits come in no command, and are not read: 0x80. */
extern const uint8_t iotcenter_widths[32];

const uint8_t iotcenter_widths[32] IOTCENTER_FLASH = {
    0, 0x80, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4, 8, 1, 2, 4, 8,
    1, 2, 4, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 2, 0x80, 2, 0x80, 2, 0x80,
};

#ifndef __AVR__

/* Reads the next element. False where it is cut short, or not one that is read. */
static bool next(struct reader *reader)
{
    const uint8_t *at = reader->at;
    uint16_t left = (uint16_t)(reader->end - at), size;
    if (left == 0)
        return false;
    uint8_t type = *at;
    if (type < MAP || type >= 0xE0) { /* a number that is its own type */
        type = 0xD0;
        size = 1;
    } else {
        at++;
        left--;
        if (type < TEXT) {
            size = type & 0x0F;
            type &= 0xF0;
        } else if (type < NIL) {
            size = type & 0x1F;
            type = TEXT;
        } else {
            size = iotcenter_widths[type - NIL];
            if (size > left || size == 0x80)
                return false;
            if (type >= 0xD9) {
                uint8_t wide = (uint8_t)size;
                left -= size;
                for (size = 0; wide > 0; wide--)
                    size = (uint16_t)(size << 8 | *at++);
                type = type < 0xDC ? TEXT : type == 0xDC ? ARRAY : MAP;
            }
        }
    }
    reader->type = type;
    reader->size = size;
    reader->data = at;
    if (type < TEXT)
        size = 0;
    else if (size > left)
        return false;
    reader->at = at + size;
    return true;
}

static bool iotcenter_next_is(struct reader *reader, uint8_t type)
{
    return next(reader) && reader->type == type;
}

static bool iotcenter_next_integer(struct reader *reader)
{
    return next(reader) && reader->type >= INTEGER;
}

/* Passes over one element with all that is in it. */
static bool skip(struct reader *reader)
{
    for (uint32_t left = 1; left > 0; left--) {
        if (!next(reader))
            return false;
        if (reader->type == MAP)
            left += reader->size;
        if (reader->type < TEXT)
            left += reader->size;
        if (left > 0xFFFF) /* more than any packet holds */
            return false;
    }
    return true;
}

static bool iotcenter_reads_as(const struct reader *reader, const char *text)
{
    return reader->type == TEXT && reader->size == strlen(text) && memcmp(reader->data, text, reader->size) == 0;
}

static uint32_t iotcenter_integer(const struct reader *reader)
{
    const uint8_t *data = reader->data;
    uint32_t number = reader->type >= 0xD0 && *data >= 0x80 ? 0xFFFFFFFFUL : 0;
    for (uint8_t left = (uint8_t)reader->size; left > 0; left--)
        number = number << 8 | *data++;
    return number;
}

static bool iotcenter_find(const struct iotcenter_command *command, const char *name, struct reader *reader)
{
    *reader = command->reader;
    if (!iotcenter_next_is(reader, MAP))
        return false;
    for (uint16_t left = reader->size; left > 0; left--) {
        if (!next(reader))
            return false;
        if (iotcenter_reads_as(reader, name))
            return next(reader);
        if (!skip(reader))
            return false;
    }
    return false;
}

#endif

/* ---- Time ---- */

static NOINLINE uint32_t milliseconds(const struct iotcenter_config *config)
{
    return config->milliseconds(config->user);
}

static void look_at_clock(struct iotcenter *device)
{
    iotcenter_pass(&device->clock, milliseconds(device->config));
}

/* Seconds since the start. */
static NOINLINE uint32_t seconds(const struct iotcenter *device)
{
    return device->clock.quarters / SECOND;
}

/* 2 s, doubled `times`, and up to half of it more by chance, so that many devices do not keep step. The chance lies in
 * the tag of what was just sent. */
static NOINLINE uint16_t patience(const struct iotcenter *device, uint8_t times)
{
    return (uint16_t)((64 + (device->packet[MAC_AT] >> 3)) << times) / (64 / FIRST_TIMEOUT);
}

static NOINLINE void set_time(struct iotcenter *device, const uint8_t *bytes)
{
    device->epoch = iotcenter_get32(bytes) - seconds(device);
}

/* ---- The handshake ---- */

static NOINLINE void transmit(struct iotcenter *device, uint16_t size)
{
    device->config->send(device->config->user, device->packet, size);
}

/* Derives the key for one purpose ("auth", "session" or "nonce") from the device's own; writes 32 bytes. */
static void derive(const struct iotcenter *device, const char *purpose, uint8_t *out)
{
    uint8_t salt[4];
    iotcenter_copy_from_flash(salt, FLASH("iot2"), sizeof salt);
    iotcenter_copy_from_flash(out, device->config->key, IOTCENTER_KEY_SIZE);
    iotcenter_hmac(salt, sizeof salt, out, IOTCENTER_KEY_SIZE, out);
    iotcenter_expand(out, purpose, out, 32);
}

/* A nonce that never was before: made of the boot count, of noise, and of the nonce before it. */
static void renew_nonce(struct iotcenter *device)
{
    const struct iotcenter_config *config = device->config;
    uint8_t source[36], key[32];
    memset(source, 0, 20);
    iotcenter_put32(source, config->boots);
    if (config->entropy != NULL)
        config->entropy(config->user, source + 4);
    memcpy(source + 20, device->nonce, sizeof device->nonce);
    derive(device, FLASH("nonce"), key);
    iotcenter_hmac(key, sizeof key | SHORT, source, sizeof source, device->nonce);
}

/* Writes HELLO into the packet, the same for the same nonce; and the key of its MAC, 32 bytes, to `auth`. */
static void write_hello(const struct iotcenter *device, uint8_t *auth)
{
    uint8_t *out = device->packet;
    out[0] = HELLO;
    out[1] = SUITE;
    out[2] = (device->config->sleepy ? SLEEPY : 0) | (device->fresh ? FRESH_BOOT : 0);
    out[3] = (uint8_t)(device->packet_size / 16);
    iotcenter_copy_from_flash(out + 4, device->config->id, IOTCENTER_ID_SIZE);
    memcpy(out + 20, device->nonce, sizeof device->nonce);
    derive(device, FLASH("auth"), auth);
    iotcenter_hmac(auth, 32 | SHORT, out, MAC_AT, out + MAC_AT);
}

/* Lets the handshake begin in so many quarters of a second. */
static void greet(struct iotcenter *device, uint16_t wait)
{
    device->greeting = true;
    device->hellos = 0;
    device->clock.timers[HELLO_TIMER] = wait;
}

static void send_hello(struct iotcenter *device)
{
    uint8_t slowest = device->config->sleepy ? SLOWEST_ASLEEP : SLOWEST, auth[32];
    if (device->hellos % SAME_NONCE == 0)
        renew_nonce(device);
    write_hello(device, auth);
    transmit(device, HELLO_SIZE);
    device->clock.timers[HELLO_TIMER] = patience(device, device->hellos < slowest ? device->hellos : slowest);
    if (++device->hellos == 0)
        device->hellos -= SAME_NONCE;
    device->clock.timers[LISTEN_TIMER] = ANSWER_WINDOW;
}

/* Makes the session's keys of the two messages that were exchanged, which lie in the packet; the first is used up. */
static void derive_session(struct iotcenter *device)
{
    uint8_t key[32], *transcript = device->packet;
    iotcenter_hmac(NULL, NO_KEY, transcript, HELLO_SIZE + WELCOME_SIZE, transcript);
    derive(device, FLASH("session"), key);
    iotcenter_hmac(transcript, 32, key, sizeof key, key);
    iotcenter_expand(key, FLASH("up"), device->up.mac, sizeof device->up);
    iotcenter_expand(key, FLASH("down"), device->down.mac, sizeof device->down);
}

static void begin_session(struct iotcenter *device, const uint8_t *welcome)
{
    memset(&device->tries, 0, offsetof(struct iotcenter, boot) - offsetof(struct iotcenter, tries));
    memcpy(device->cid, welcome + 4, sizeof device->cid);
    memcpy(device->welcomed, welcome + 24, sizeof device->welcomed);
    set_time(device, welcome + 24);
    device->keepalive = welcome[3] > 0 ? welcome[3] * 5 : KEEPALIVE;
    device->phase = UNCONFIRMED;
    device->session_at = device->clock.quarters;
    device->clock.timers[MESSAGE_TIMER] = device->clock.timers[KEEPALIVE_TIMER] = 0;
    device->clock.timers[HELLO_TIMER] = HELLO_PAUSE;
    device->greeting = false;
    device->offered = device->slot == OFFER;
}

static void receive_welcome(struct iotcenter *device, uint16_t size)
{
    uint8_t *packet = device->packet, *welcome = packet + HELLO_SIZE, key[32];
    if (!device->greeting || size != WELCOME_SIZE || packet[1] != SUITE)
        return;
    memmove(welcome, packet, WELCOME_SIZE);
    write_hello(device, key);
    iotcenter_hmac(key, sizeof key | SHORT, packet, HELLO_SIZE + WELCOME_SIZE - TAG_SIZE, key);
    if (iotcenter_differ(key, welcome + WELCOME_SIZE - TAG_SIZE, TAG_SIZE))
        return;
    derive_session(device);
    begin_session(device, welcome);
}

/* ---- The session ---- */

static void tell(struct iotcenter *device, bool online)
{
    if (device->online == online)
        return;
    device->online = online;
    if (device->config->on_state != NULL)
        device->config->on_state(device->config->user, online ? IOTCENTER_ONLINE : IOTCENTER_OFFLINE);
}

static void end_session(struct iotcenter *device, uint16_t pause)
{
    device->phase = NO_SESSION;
    tell(device, false);
    greet(device, pause);
}

/* Where the next record is to be put: until the session is confirmed, behind the prefix. */
static NOINLINE uint8_t *next_record(const struct iotcenter *device)
{
    return device->packet + (device->phase == UNCONFIRMED ? PREFIX_SIZE : 0);
}

/* How long a plaintext may be, so that its record fits into a datagram of `size` bytes. */
static uint16_t record_room(uint16_t size)
{
    return (size - HEADER_SIZE - TAG_SIZE) / BLOCK * BLOCK - 1;
}

/* Seals and sends the plaintext of `size` bytes behind the header of next_record(). */
static void send_record(struct iotcenter *device, uint16_t size)
{
    uint8_t *packet = device->packet, *record = next_record(device), auth[32];
    record[0] = UP;
    memcpy(record + 1, device->cid, sizeof device->cid);
    iotcenter_put32(record + 5, ++device->sent);
    size = iotcenter_seal(&device->up, record, size);
    if (record != packet) {
        write_hello(device, auth);
        packet[0] = OPEN;
        memcpy(packet + HELLO_SIZE, device->welcomed, sizeof device->welcomed);
        size += PREFIX_SIZE;
    }
    device->clock.timers[KEEPALIVE_TIMER] = device->keepalive * SECOND;
    transmit(device, size);
}

/* Sends a record without a body, which may be an acknowledgement of `mid`. */
static void send_short(struct iotcenter *device, uint8_t kind, uint16_t mid)
{
    uint8_t *text = next_record(device) + HEADER_SIZE;
    iotcenter_put32(text + 1, mid);
    text[0] = kind;
    send_record(device, kind & ACKNOWLEDGES ? 5 : 3);
}

/* Whether the session is the one that the packet names. */
static bool names_session(const struct iotcenter *device)
{
    return iotcenter_differ(device->packet + 1, device->cid, sizeof device->cid) == 0;
}

/* Somebody says that the server does not know this session. It may be true: ask, but not too often. */
static void receive_reset(struct iotcenter *device, uint16_t size)
{
    if (size == RESET_SIZE && device->phase == CONFIRMED && !device->greeting && device->clock.timers[HELLO_TIMER] == 0 &&
        names_session(device) && (uint16_t)(device->sent - iotcenter_get32(device->packet + 5)) < WINDOW)
        greet(device, 0);
}

/* ---- Messages ---- */

/* Begins the message with its kind and its id. */
static void write_head(struct iotcenter *device, uint8_t kind)
{
    device->slot = WRITING | kind;
    device->filled = 0;
    iotcenter_write_byte(device, kind | CONFIRMABLE);
    iotcenter_write_byte(device, (uint8_t)(device->mid >> 8));
    iotcenter_write_byte(device, (uint8_t)device->mid);
}

/* Begins a message where no other is on its way; a keepalive makes way, since any message is one. */
static bool begin(struct iotcenter *device, uint8_t kind)
{
    if (iotcenter_busy(device))
        return false;
    device->mid++;
    write_head(device, kind);
    return true;
}

static void commit(struct iotcenter *device)
{
    look_at_clock(device);
    device->slot &= KIND;
    device->tries = 0;
    device->made_at = seconds(device);
    device->clock.timers[MESSAGE_TIMER] = 0;
}

/* Says what the device is and offers, right where it is sealed: it need not be kept, since it can be said again. Returns
 * its size. */
static uint16_t write_offer(struct iotcenter *device)
{
    uint8_t *message = device->message;
    uint16_t room = device->room;
    device->message = next_record(device) + HEADER_SIZE;
    device->room = record_room(device->packet_size);
    write_head(device, OFFER);
    iotcenter_write_flash(device, FLASH("\x93\xA5" "C 1.0"));
    iotcenter_write_32(device, 0xCE, device->boot);
    device->count_at = device->filled;
    device->inner_at = 0;
    iotcenter_write_byte(device, ARRAY);
    if (device->config->on_offer != NULL)
        device->config->on_offer(device->config->user, device);
    device->slot = OFFER;
    device->message = message;
    device->room = room;
    return device->filled;
}

/* Puts the message where it is sealed; a report that waited says for how long. Returns its size. */
static uint16_t copy_message(struct iotcenter *device)
{
    uint8_t *text = next_record(device) + HEADER_SIZE;
    uint16_t size = device->filled;
    uint32_t age = seconds(device) - device->made_at;
    if (device->slot == OFFER)
        return write_offer(device);
    memcpy(text, device->message, size);
    if (device->slot == REPORT && age > 0) {
        text[3]++; /* the array has one element more */
        text[size] = 0xD2;
        iotcenter_put32(text + size + 1, 0 - age);
        size += AGE_SIZE;
    }
    return size;
}

/* Whether the message goes into one datagram now: the prefix may leave it no room. */
static bool fits(const struct iotcenter *device)
{
    uint16_t size = device->filled + (AGE_SIZE + BLOCK + PREFIX_SIZE + HEADER_SIZE + TAG_SIZE);
    return device->phase == CONFIRMED || (device->slot != OFFER && size <= device->packet_size);
}

/* Sends the message once more; a ping where it does not fit, since any answer makes room. */
static void send_message(struct iotcenter *device)
{
    if (device->tries == TRIES) {
        device->tries = 0;
        if (++device->unanswered == UNANSWERED) {
            end_session(device, 1);
            return;
        }
    }
    if (fits(device))
        send_record(device, copy_message(device));
    else
        send_short(device, PING | CONFIRMABLE, 0);
    device->clock.timers[MESSAGE_TIMER] = patience(device, device->tries++);
    device->clock.timers[LISTEN_TIMER] = ANSWER_WINDOW;
}

/* ---- Commands ---- */

static NOINLINE void write_done(struct iotcenter *device)
{
    device->message[3] = 0x93;
    device->filled = device->count_at;
    iotcenter_write_flash(device, FLASH("\xA4" "done"));
}

/* Whether the command's id, inverted, is among the last ones. */
static bool remembered(const struct iotcenter *device, uint32_t id)
{
    for (uint8_t i = 0; i < COMMANDS; i++)
        if (device->commands[i] == id)
            return true;
    return false;
}

/* Runs the command [id, name, {argument: value}], unless it is known. Returns whether it can be acknowledged: where
 * there is no room for the result now, it is not, and no new message is begun until the command comes again, or does
 * not. */
static NOINLINE bool run_command(struct iotcenter *device, struct iotcenter_command *command)
{
    const struct iotcenter_config *config = device->config;
    struct reader *reader = &command->reader;
    const uint8_t *id_at;
    if (!iotcenter_next_is(reader, ARRAY))
        return true;
    id_at = reader->at;
    if (!iotcenter_next_integer(reader))
        return true;
    uint8_t id_size = (uint8_t)(reader->at - id_at);
    uint32_t id = ~iotcenter_integer(reader);
    if (!iotcenter_next_is(reader, TEXT) || remembered(device, id))
        return true;
    device->clock.timers[HOLD_TIMER] = HOLD;
    if (!begin(device, RESULT))
        return false;
    device->clock.timers[HOLD_TIMER] = 0;
    device->commands[device->next_command++ % COMMANDS] = id;
    iotcenter_write_byte(device, 0x93);
    iotcenter_write_bytes(device, id_at, id_size); /* as it came */
    device->count_at = device->filled;
    write_done(device);
    iotcenter_write_byte(device, NIL);
    if (config->on_command != NULL)
        config->on_command(config->user, device, command);
    commit(device);
    return true;
}

/* ---- What the server says ---- */

static void receive_configuration(struct iotcenter *device, struct reader *reader)
{
    if (!iotcenter_next_is(reader, ARRAY) || !iotcenter_next_integer(reader))
        return;
    uint32_t keepalive = iotcenter_integer(reader);
    if (keepalive - 1 < LONGEST_KEEPALIVE)
        device->keepalive = (uint16_t)keepalive;
}

/* Acts on the content of a genuine record. */
static void receive_content(struct iotcenter *device, const uint8_t *text, uint16_t size)
{
    uint8_t kind = text[0], header = kind & ACKNOWLEDGES ? 5 : 3;
    uint32_t ids = iotcenter_get32(text + 1); /* that of the message, and that which it acknowledges */
    struct iotcenter_command body;
    if (size < header)
        return;
    body.reader.at = text + header;
    body.reader.end = text + size;
    if (kind & ACKNOWLEDGES) {
        if (device->slot < EMPTY && device->mid == (uint16_t)ids)
            device->slot = EMPTY;
        if ((kind & KIND) == PING && size >= header + 4U)
            set_time(device, body.reader.at);
    }
    if (kind & MORE)
        device->clock.timers[LISTEN_TIMER] = LISTEN_WINDOW;
    else if (device->slot >= EMPTY)
        device->clock.timers[LISTEN_TIMER] = 0;
    switch (kind & KIND) {
    case CLOSE:
        end_session(device, CLOSE_PAUSE);
        return;
    case COMMAND:
        if (!run_command(device, &body))
            return;
        break;
    case CONFIGURATION:
        receive_configuration(device, &body.reader);
    }
    if (kind & CONFIRMABLE)
        send_short(device, PING | ACKNOWLEDGES, (uint16_t)(ids >> 16));
}

static void receive_record(struct iotcenter *device, uint16_t size)
{
    uint8_t *record = device->packet;
    uint32_t number = iotcenter_get32(record + 5);
    if (device->phase < UNCONFIRMED || size < HEADER_SIZE + BLOCK + TAG_SIZE ||
        size % BLOCK != (HEADER_SIZE + TAG_SIZE) % BLOCK)
        return;
    if (!names_session(device) || !iotcenter_newer(&device->seen, number, false))
        return;
    size = iotcenter_open(&device->down, record, size);
    if (size == 0)
        return;
    iotcenter_newer(&device->seen, number, true);
    if (device->phase == UNCONFIRMED)
        device->clock.timers[MESSAGE_TIMER] = 0; /* what the prefix left no room for */
    device->phase = CONFIRMED;
    device->fresh = false;
    device->unanswered = 0;
    tell(device, true);
    receive_content(device, record + HEADER_SIZE, size);
}

/* ---- The timers ---- */

/* Sees to it that there is a session, and that it is not too old. */
static void keep_session(struct iotcenter *device)
{
    uint32_t age = device->clock.quarters - device->session_at;
    if (device->greeting)
        return;
    if (device->phase == NO_SESSION || (device->phase == UNCONFIRMED && age > OPEN_LIFE))
        end_session(device, 0);
    else if (age > SESSION_LIFE || (uint8_t)(device->sent >> 24) == RENEW_AT)
        greet(device, 0);
}

/* Sends what is due within the session. */
static NOINLINE void speak(struct iotcenter *device)
{
    if (!device->offered && begin(device, OFFER)) {
        device->offered = true;
        commit(device);
    }
    if (device->slot == EMPTY && device->clock.timers[KEEPALIVE_TIMER] == 0 && !device->config->sleepy) {
        begin(device, PING);
        commit(device);
    }
    if (device->slot < EMPTY && device->clock.timers[MESSAGE_TIMER] == 0)
        send_message(device);
}

/* Quarters of a second until something is due. */
static uint16_t next_timer(const struct iotcenter *device)
{
    uint16_t wait = NEVER;
    for (uint8_t i = 0; i < TIMERS; i++)
        if (device->clock.timers[i] > 0 && device->clock.timers[i] < wait)
            wait = device->clock.timers[i];
    return wait;
}

uint32_t iotcenter_poll(struct iotcenter *device)
{
    if (device->phase == STOPPED)
        return IOTCENTER_FOREVER;
    look_at_clock(device);
    keep_session(device);
    if (device->greeting && device->clock.timers[HELLO_TIMER] == 0)
        send_hello(device);
    if (device->phase >= UNCONFIRMED)
        speak(device);
    return next_timer(device) * (uint32_t)QUARTER;
}

/* ---- What the application calls ---- */

/* A message fits into its buffer, and with its age into a record. */
static void take_buffers(struct iotcenter *device, const struct iotcenter_config *config)
{
    uint16_t size = config->packet_size > IOTCENTER_MAX_PACKET ? IOTCENTER_MAX_PACKET : config->packet_size;
    uint16_t room = record_room(size) - AGE_SIZE;
    device->config = config;
    device->packet = config->packet;
    device->packet_size = size;
    device->message = config->message;
    device->room = config->message_size < room ? config->message_size : room;
}

enum iotcenter_error iotcenter_start(struct iotcenter *device, const struct iotcenter_config *config)
{
    memset(device, 0, sizeof *device);
    if (config->packet_size < IOTCENTER_MIN_PACKET || config->message_size < IOTCENTER_MIN_MESSAGE)
        return IOTCENTER_SMALL_BUFFER;
    if (config->send == NULL || config->milliseconds == NULL)
        return IOTCENTER_NO_CALLBACK;
    bool random = config->entropy != NULL && config->entropy(config->user, device->nonce);
    device->boot = config->boots;
    if (device->boot == 0) {
        if (!random)
            return IOTCENTER_NOT_FRESH;
        device->boot = iotcenter_get32(device->nonce) >> 1 | 1;
    }
    take_buffers(device, config);
    device->clock.milliseconds = milliseconds(config);
    device->sequence = 1;
    device->slot = EMPTY;
    device->fresh = true;
    device->phase = NO_SESSION;
    return IOTCENTER_OK;
}

void iotcenter_resume(struct iotcenter *device, const struct iotcenter_config *config, uint32_t slept)
{
    take_buffers(device, config);
    device->clock.milliseconds = milliseconds(config) - slept;
}

void iotcenter_receive(struct iotcenter *device, uint16_t size)
{
    if (device->phase == STOPPED || size == 0 || size > device->packet_size)
        return;
    look_at_clock(device);
    uint8_t type = device->packet[0];
    if (type == WELCOME)
        receive_welcome(device, size);
    else if (type == DOWN)
        receive_record(device, size);
    else if (type == RESET)
        receive_reset(device, size);
}

void iotcenter_stop(struct iotcenter *device)
{
    if (device->phase >= UNCONFIRMED)
        send_short(device, CLOSE, 0);
    device->phase = STOPPED;
    tell(device, false);
}

bool iotcenter_busy(const struct iotcenter *device)
{
    return device->slot != EMPTY && device->slot != PING;
}

bool iotcenter_listening(const struct iotcenter *device)
{
    return device->clock.timers[LISTEN_TIMER] != 0;
}

uint32_t iotcenter_time(const struct iotcenter *device)
{
    return device->epoch == 0 ? 0 : device->epoch + seconds(device);
}

/* Begins a message of the application's, unless a command waits for its place. */
static bool begin_own(struct iotcenter *device, uint8_t kind)
{
    return device->phase != STOPPED && device->clock.timers[HOLD_TIMER] == 0 && begin(device, kind);
}

bool iotcenter_report(struct iotcenter *device)
{
    if (!begin_own(device, REPORT))
        return false;
    iotcenter_write_byte(device, 0x93);
    iotcenter_write_32(device, 0xCE, device->boot);
    iotcenter_write_32(device, 0xCE, device->sequence);
    device->count_at = device->filled;
    iotcenter_write_byte(device, ARRAY);
    return true;
}

bool iotcenter_reading(struct iotcenter *device, const char *series, struct iotcenter_value value, uint32_t age)
{
    uint16_t began = device->filled;
    if (device->slot != (WRITING | REPORT))
        return false;
    iotcenter_write_byte(device, age > 0 ? 0x93 : 0x92);
    iotcenter_write_string(device, series);
    write_value(device, &value);
    if (age > 0)
        iotcenter_write_32(device, 0xD2, 0 - age);
    return counted(device, device->count_at, began);
}

bool iotcenter_send(struct iotcenter *device)
{
    if (device->slot != (WRITING | REPORT))
        return false;
    uint8_t count = device->message[device->count_at] & MOST_ELEMENTS;
    if (count == 0) {
        device->slot = EMPTY;
        return false;
    }
    device->sequence += count;
    commit(device);
    return true;
}

bool iotcenter_log(struct iotcenter *device, const char *level, const char *text)
{
    if (!begin_own(device, LOG))
        return false;
    iotcenter_write_flash(device, FLASH("\x91\x91\x93"));
    iotcenter_write_32(device, 0xCE, iotcenter_time(device));
    iotcenter_write_string(device, level);
    iotcenter_write_string(device, text);
    if (device->filled > device->room) {
        device->slot = EMPTY;
        return false;
    }
    commit(device);
    return true;
}

/* Writes a text behind its name, of which iotcenter_write_flash() says how it is kept. */
static void write_pair(struct iotcenter *device, const char *name, const char *text)
{
    iotcenter_write_flash(device, name);
    iotcenter_write_string(device, text);
}

/* Begins a map of so many pairs, of which the first is its name. */
static void write_named(struct iotcenter *device, uint8_t pairs, const char *name)
{
    iotcenter_write_byte(device, MAP | pairs);
    write_pair(device, FLASH("\xA4" "name"), name);
}

bool iotcenter_offer_series(struct iotcenter *device, const char *name, const char *unit, uint16_t every)
{
    uint16_t began = device->filled;
    if (device->slot != (WRITING | OFFER) || device->inner_at > 0)
        return false;
    write_named(device, 1 + (unit[0] != 0) + (every > 0), name);
    if (unit[0] != 0)
        write_pair(device, FLASH("\xA4" "unit"), unit);
    if (every > 0) {
        iotcenter_write_flash(device, FLASH("\xA5" "every"));
        write_int(device, every);
    }
    return counted(device, device->count_at, began);
}

/* Ends the array of series, and begins that of commands behind it, unless that is done. False where it does not fit. */
static bool begin_commands(struct iotcenter *device)
{
    if (device->inner_at > 0 || device->filled >= device->room)
        return device->inner_at > 0;
    device->count_at = device->inner_at = device->filled;
    iotcenter_write_byte(device, ARRAY);
    device->message[3]++;
    return true;
}

bool iotcenter_offer_command(struct iotcenter *device, const char *name, bool confirm)
{
    if (device->slot != (WRITING | OFFER) || !begin_commands(device))
        return false;
    uint16_t began = device->filled;
    write_named(device, 2 + confirm, name);
    if (confirm)
        iotcenter_write_flash(device, FLASH("\xA7" "confirm\xC3"));
    iotcenter_write_flash(device, FLASH("\xA9" "arguments\x90"));
    device->inner_at = device->filled - 1;
    return counted(device, device->count_at, began);
}

bool iotcenter_offer_argument(struct iotcenter *device, const char *name, const char *type, bool required)
{
    uint16_t began = device->filled;
    if (device->slot != (WRITING | OFFER) || device->inner_at <= device->count_at || device->inner_at >= began)
        return false;
    write_named(device, required ? 2 : 3, name);
    write_pair(device, FLASH("\xA4" "type"), type);
    if (!required)
        iotcenter_write_flash(device, FLASH("\xA8" "required\xC2"));
    return counted(device, device->inner_at, began);
}

bool iotcenter_is(const struct iotcenter_command *command, const char *name)
{
    return iotcenter_reads_as(&command->reader, name);
}

bool iotcenter_bool_argument(const struct iotcenter_command *command, const char *name, bool *value)
{
    struct reader reader;
    if (!iotcenter_find(command, name, &reader) || (reader.type | 1) != 0xC3)
        return false;
    *value = reader.type & 1;
    return true;
}

bool iotcenter_int_argument(const struct iotcenter_command *command, const char *name, int32_t *value)
{
    struct reader reader;
    if (!iotcenter_find(command, name, &reader) || reader.type < INTEGER || reader.size > 4)
        return false;
    if (reader.type == 0xCE && *reader.data >= 0x80)
        return false;
    *value = (int32_t)iotcenter_integer(&reader);
    return true;
}

/* A double as a float, rounded; what is too large becomes infinite, what is too small zero. */
static uint32_t narrowed(const uint8_t *data)
{
    uint32_t sign = (uint32_t)(data[0] & 0x80) << 24, digits = iotcenter_get32(data + 1) & 0x0FFFFFFF;
    int16_t exponent = (int16_t)((data[0] & 0x7F) << 4 | data[1] >> 4) - 1023 + 127;
    if (exponent <= 0)
        return sign;
    if (exponent >= 255)
        return sign | 0x7F800000UL;
    return sign | (((uint32_t)exponent << 23 | digits >> 5) + (digits >> 4 & 1));
}

bool iotcenter_float_argument(const struct iotcenter_command *command, const char *name, float *value)
{
    struct reader reader;
    if (!iotcenter_find(command, name, &reader) || reader.type < 0xCA)
        return false;
    if (reader.type >= INTEGER) {
        *value = (float)(int32_t)iotcenter_integer(&reader);
    } else {
        uint32_t bits = reader.size == 8 ? narrowed(reader.data) : iotcenter_get32(reader.data);
        memcpy(value, &bits, sizeof bits);
    }
    return true;
}

bool iotcenter_text_argument(const struct iotcenter_command *command, const char *name, char *value, uint16_t size)
{
    struct reader reader;
    if (!iotcenter_find(command, name, &reader) || reader.type != TEXT || reader.size >= size)
        return false;
    memcpy(value, reader.data, reader.size);
    value[reader.size] = 0;
    return true;
}

/* Begins the result that the command failed; the reason follows. */
static NOINLINE void write_failed(struct iotcenter *device)
{
    device->message[3] = 0x94;
    device->filled = device->count_at;
    iotcenter_write_flash(device, FLASH("\xA6" "failed\xC0"));
}

void iotcenter_done(struct iotcenter *device, struct iotcenter_value result)
{
    if (device->slot != (WRITING | RESULT))
        return;
    write_done(device);
    write_value(device, &result);
    if (device->filled > device->room) {
        write_failed(device);
        iotcenter_write_flash(device, FLASH("\xB8" "done, with a long result"));
    }
}

void iotcenter_failed(struct iotcenter *device, const char *reason)
{
    if (device->slot != (WRITING | RESULT))
        return;
    write_failed(device);
    uint16_t size = (uint16_t)strlen(reason), most = device->room - device->filled - 2;
    if (most > 0xFF)
        most = 0xFF;
    if (size > most) {
        for (size = most; (reason[size] & 0xC0) == 0x80; size--) /* a character stays whole */
            ;
    }
    iotcenter_write_text(device, reason, size);
}
