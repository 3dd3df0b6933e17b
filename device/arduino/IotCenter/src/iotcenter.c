/*
 * The core of IotCenter for microcontrollers; see iotcenter.h for how to use it. In order:
 *
 *     bytes, SHA-256 and HMAC, AES-128, records    what is sealed and opened
 *     writing and reading MessagePack              what is in it
 *     handshake, session, messages, commands       the conversation
 *     the timers, and what the application calls   the doors
 */
#include "iotcenter.h"

enum {
    HELLO = 0xC1, WELCOME, UP, DOWN, RESET, OPEN,
    SUITE = 0x21,
    HELLO_SIZE = 52, WELCOME_SIZE = 44, RESET_SIZE = 9, PREFIX_SIZE = 56, HEADER_SIZE = 9, TAG_SIZE = 16, BLOCK = 16,
    SLEEPY = 2, FRESH_BOOT = 4
};

enum kind { PING, REPORT, COMMAND, RESULT, POLL, LOG, BLOCKS, CLOSE, CONFIGURATION, OFFER };
enum { KIND = 0x0F, ACKNOWLEDGES = 0x80, CONFIRMABLE = 0x40, MORE = 0x20 };

enum phase { STOPPED, NO_SESSION, UNCONFIRMED, CONFIRMED };
enum slot { EMPTY, WRITING, WAITING };

enum timer { MESSAGE_TIMER, HELLO_TIMER, KEEPALIVE_TIMER, LISTEN_TIMER, HOLD_TIMER, TIMERS };

#define SECOND 4 /* Time is counted in quarters of a second, which go into 16 bits for four hours. */
#define NEVER 0xFFFF

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
    MOST_ELEMENTS = 0x0F         /* of an array whose length takes one byte */
};

#define SESSION_LIFE (23UL * 3600 * SECOND) /* the new one stands before the old one ends, at 24 hours */
#define RENEW_AT 0x7FFFF000UL               /* likewise: the last record is 2^31 - 1 */

#ifdef __GNUC__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE
#endif

/* Texts of ours lie in flash, where the chip can read them there. */
#ifdef __AVR__
#define read_byte(address) pgm_read_byte(address)
#define read_word(address) pgm_read_dword(address)
#define copy_from_flash memcpy_P
#define flash_length strlen_P
#define FLASH(text) PSTR(text)
#else
#define read_byte(address) (*(const uint8_t *)(address))
#define read_word(address) (*(const uint32_t *)(address))
#define copy_from_flash memcpy
#define flash_length strlen
#define FLASH(text) (text)
#endif

/* ---- Bytes ---- */

static void put32(uint8_t *out, uint32_t number)
{
    for (uint8_t i = 4; i-- > 0; number >>= 8)
        out[i] = (uint8_t)number;
}

static uint32_t get32(const uint8_t *in)
{
    uint32_t number = 0;
    for (uint8_t i = 0; i < 4; i++)
        number = number << 8 | in[i];
    return number;
}

static uint32_t float_bits(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* Whether the 16 bytes are equal; takes equally long for all. */
static bool equal(const uint8_t *one, const uint8_t *other)
{
    uint8_t difference = 0;
    for (uint8_t i = 0; i < 16; i++)
        difference |= one[i] ^ other[i];
    return difference == 0;
}

/* ---- SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869) ---- */

struct sha256 {
    uint32_t state[8], words[16];
    uint16_t size;
};

static const uint32_t SHA256_START[8] IOTCENTER_FLASH = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t SHA256_ROUND[64] IOTCENTER_FLASH = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#ifdef __AVR__

/* gcc rotates 32 bits on AVR by shifting bit after bit, twice. Whole bytes it moves; the one to four bits that are left
 * over take five instructions each. */
static inline uint32_t left_by_one(uint32_t word)
{
    __asm__("lsl %A0\n\trol %B0\n\trol %C0\n\trol %D0\n\tadc %A0, __zero_reg__" : "+r"(word));
    return word;
}

static inline uint32_t right_by_one(uint32_t word)
{
    __asm__("bst %A0, 0\n\tlsr %D0\n\tror %C0\n\tror %B0\n\tror %A0\n\tbld %D0, 7" : "+r"(word));
    return word;
}

static inline __attribute__((always_inline)) uint32_t rotate(uint32_t word, uint8_t by)
{
    uint8_t bytes = (by + 4) / 8 * 8;
    int8_t rest = (int8_t)(by - bytes);
    if (bytes % 32)
        word = word >> bytes % 32 | word << (32 - bytes % 32);
    for (; rest < 0; rest++)
        word = left_by_one(word);
    for (; rest > 0; rest--)
        word = right_by_one(word);
    return word;
}

#else

static inline uint32_t rotate(uint32_t word, uint8_t by)
{
    return word >> by | word << (32 - by);
}

#endif

/* Takes the 16 words of a block into the state; the words are used up. */
static void sha256_block(struct sha256 *hash)
{
    uint32_t s[8], *w = hash->words;
    memcpy(s, hash->state, sizeof s);
    for (uint8_t i = 0; i < 64; i++) {
        if (i >= 16) {
            uint32_t early = w[(i + 1) & 15], late = w[(i + 14) & 15];
            w[i & 15] += (rotate(early ^ rotate(early, 11), 7) ^ early >> 3) + w[(i + 9) & 15] +
                         (rotate(late ^ rotate(late, 2), 17) ^ late >> 10);
        }
        uint32_t e = s[4], a = s[0];
        uint32_t sum = s[7] + w[i & 15] + read_word(&SHA256_ROUND[i]) + (s[6] ^ (e & (s[5] ^ s[6]))) +
                       rotate(e ^ rotate(e ^ rotate(e, 14), 5), 6);
        uint32_t majority = (a & s[1]) | (s[2] & (a | s[1]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += sum;
        s[0] = sum + majority + rotate(a ^ rotate(a ^ rotate(a, 9), 11), 2);
    }
    for (uint8_t i = 0; i < 8; i++)
        hash->state[i] += s[i];
}

static void sha256_start(struct sha256 *hash)
{
    copy_from_flash(hash->state, SHA256_START, sizeof hash->state);
    hash->size = 0;
}

static void sha256_byte(struct sha256 *hash, uint8_t byte)
{
    uint32_t *word = &hash->words[hash->size / 4 % 16];
    *word = *word << 8 | byte;
    if (++hash->size % 64 == 0)
        sha256_block(hash);
}

static void sha256_add(struct sha256 *hash, const uint8_t *data, uint16_t size)
{
    while (size-- > 0)
        sha256_byte(hash, *data++);
}

/* Writes 32 bytes. */
static void sha256_finish(struct sha256 *hash, uint8_t *out)
{
    uint16_t size = hash->size; /* less than 64 KB */
    sha256_byte(hash, 0x80);
    while (hash->size % 64 != 56)
        sha256_byte(hash, 0);
    hash->words[14] = 0;
    hash->words[15] = (uint32_t)size << 3;
    sha256_block(hash);
    for (uint8_t i = 0; i < 8; i++)
        put32(out + 4 * i, hash->state[i]);
}

static void hmac_pad(struct sha256 *hash, const uint8_t *key, uint8_t size, uint8_t pad)
{
    sha256_start(hash);
    for (uint8_t i = 0; i < 64; i++)
        sha256_byte(hash, (i < size ? key[i] : 0) ^ pad);
}

/* Begins an HMAC with a key of up to 64 bytes. */
static void hmac_start(struct sha256 *hash, const uint8_t *key, uint8_t size)
{
    hmac_pad(hash, key, size, 0x36);
}

/* Writes 32 bytes to `out`, which may be where the key lies: it is written last. */
static void hmac_finish(struct sha256 *hash, const uint8_t *key, uint8_t size, uint8_t *out)
{
    uint8_t inner[32];
    sha256_finish(hash, inner);
    hmac_pad(hash, key, size, 0x5C);
    sha256_add(hash, inner, sizeof inner);
    sha256_finish(hash, out);
}

/* The digest of one piece and another behind it. Apart from its callers, so that their stack is not deeper by its own. */
static NOINLINE void sha256(const uint8_t *one, uint16_t size, const uint8_t *other, uint16_t other_size, uint8_t *out)
{
    struct sha256 hash;
    sha256_start(&hash);
    sha256_add(&hash, one, size);
    sha256_add(&hash, other, other_size);
    sha256_finish(&hash, out);
}

/* The HMAC of one piece and another behind it. HKDF-Extract is this with the salt as the key. */
static NOINLINE void hmac(const uint8_t *key, uint8_t key_size, const uint8_t *one, uint16_t size, const uint8_t *other,
                          uint16_t other_size, uint8_t *out)
{
    struct sha256 hash;
    hmac_start(&hash, key, key_size);
    sha256_add(&hash, one, size);
    sha256_add(&hash, other, other_size);
    hmac_finish(&hash, key, key_size, out);
}

/* HKDF-Expand: `label` is a text in flash; writes `size` bytes, up to 64. */
static NOINLINE void hkdf_expand(const uint8_t *key, const char *label, uint8_t *out, uint8_t size)
{
    struct sha256 hash;
    uint8_t piece[32];
    for (uint8_t part = 1, done = 0; done < size; part++) {
        hmac_start(&hash, key, 32);
        if (part > 1)
            sha256_add(&hash, piece, sizeof piece);
        for (const char *at = label; read_byte(at) != 0; at++)
            sha256_byte(&hash, read_byte(at));
        sha256_byte(&hash, part);
        hmac_finish(&hash, key, 32, piece);
        for (uint8_t i = 0; i < sizeof piece && done < size; i++)
            out[done++] = piece[i];
    }
}

/* ---- AES-128 (FIPS 197), the round keys made as they are needed ---- */

static const uint8_t AES_BOX[256] IOTCENTER_FLASH = {
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

static const uint8_t AES_INVERSE_BOX[256] IOTCENTER_FLASH = {
    0x52, 0x09, 0x6a, 0xd5, 0x30, 0x36, 0xa5, 0x38, 0xbf, 0x40, 0xa3, 0x9e, 0x81, 0xf3, 0xd7, 0xfb,
    0x7c, 0xe3, 0x39, 0x82, 0x9b, 0x2f, 0xff, 0x87, 0x34, 0x8e, 0x43, 0x44, 0xc4, 0xde, 0xe9, 0xcb,
    0x54, 0x7b, 0x94, 0x32, 0xa6, 0xc2, 0x23, 0x3d, 0xee, 0x4c, 0x95, 0x0b, 0x42, 0xfa, 0xc3, 0x4e,
    0x08, 0x2e, 0xa1, 0x66, 0x28, 0xd9, 0x24, 0xb2, 0x76, 0x5b, 0xa2, 0x49, 0x6d, 0x8b, 0xd1, 0x25,
    0x72, 0xf8, 0xf6, 0x64, 0x86, 0x68, 0x98, 0x16, 0xd4, 0xa4, 0x5c, 0xcc, 0x5d, 0x65, 0xb6, 0x92,
    0x6c, 0x70, 0x48, 0x50, 0xfd, 0xed, 0xb9, 0xda, 0x5e, 0x15, 0x46, 0x57, 0xa7, 0x8d, 0x9d, 0x84,
    0x90, 0xd8, 0xab, 0x00, 0x8c, 0xbc, 0xd3, 0x0a, 0xf7, 0xe4, 0x58, 0x05, 0xb8, 0xb3, 0x45, 0x06,
    0xd0, 0x2c, 0x1e, 0x8f, 0xca, 0x3f, 0x0f, 0x02, 0xc1, 0xaf, 0xbd, 0x03, 0x01, 0x13, 0x8a, 0x6b,
    0x3a, 0x91, 0x11, 0x41, 0x4f, 0x67, 0xdc, 0xea, 0x97, 0xf2, 0xcf, 0xce, 0xf0, 0xb4, 0xe6, 0x73,
    0x96, 0xac, 0x74, 0x22, 0xe7, 0xad, 0x35, 0x85, 0xe2, 0xf9, 0x37, 0xe8, 0x1c, 0x75, 0xdf, 0x6e,
    0x47, 0xf1, 0x1a, 0x71, 0x1d, 0x29, 0xc5, 0x89, 0x6f, 0xb7, 0x62, 0x0e, 0xaa, 0x18, 0xbe, 0x1b,
    0xfc, 0x56, 0x3e, 0x4b, 0xc6, 0xd2, 0x79, 0x20, 0x9a, 0xdb, 0xc0, 0xfe, 0x78, 0xcd, 0x5a, 0xf4,
    0x1f, 0xdd, 0xa8, 0x33, 0x88, 0x07, 0xc7, 0x31, 0xb1, 0x12, 0x10, 0x59, 0x27, 0x80, 0xec, 0x5f,
    0x60, 0x51, 0x7f, 0xa9, 0x19, 0xb5, 0x4a, 0x0d, 0x2d, 0xe5, 0x7a, 0x9f, 0x93, 0xc9, 0x9c, 0xef,
    0xa0, 0xe0, 0x3b, 0x4d, 0xae, 0x2a, 0xf5, 0xb0, 0xc8, 0xeb, 0xbb, 0x3c, 0x83, 0x53, 0x99, 0x61,
    0x17, 0x2b, 0x04, 0x7e, 0xba, 0x77, 0xd6, 0x26, 0xe1, 0x69, 0x14, 0x63, 0x55, 0x21, 0x0c, 0x7d,
};

static uint8_t box(uint8_t byte)
{
    return read_byte(&AES_BOX[byte]);
}

/* Twice the byte, in AES' field; without a branch, so that it takes equally long for all. */
static uint8_t twice(uint8_t byte)
{
    return (uint8_t)(byte << 1 ^ (0x1B & -(byte >> 7)));
}

static void add_key(uint8_t *block, const uint8_t *key)
{
    for (uint8_t i = 0; i < BLOCK; i++)
        block[i] ^= key[i];
}

static void first_column(uint8_t *key, uint8_t constant)
{
    key[0] ^= box(key[13]) ^ constant;
    key[1] ^= box(key[14]);
    key[2] ^= box(key[15]);
    key[3] ^= box(key[12]);
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

static void mix_columns(uint8_t *block)
{
    for (uint8_t *c = block; c < block + BLOCK; c += 4) {
        uint8_t first = c[0], all = c[0] ^ c[1] ^ c[2] ^ c[3];
        for (uint8_t i = 0; i < 4; i++)
            c[i] ^= all ^ twice(c[i] ^ (i < 3 ? c[i + 1] : first));
    }
}

/* Encrypts one block in place. */
static void aes_encrypt(const uint8_t *key, uint8_t *block)
{
    uint8_t round_key[BLOCK], before[BLOCK], constant = 1;
    memcpy(round_key, key, BLOCK);
    add_key(block, round_key);
    for (uint8_t round = 1; round <= 10; round++, constant = twice(constant)) {
        memcpy(before, block, BLOCK);
        for (uint8_t i = 0; i < BLOCK; i++)
            block[i] = box(before[5 * i % BLOCK]); /* and the rows shifted */
        if (round < 10)
            mix_columns(block);
        next_round_key(round_key, constant);
        add_key(block, round_key);
    }
}

/* Multiplies each column with the inverse of the mixing polynomial: what is left of it besides mix_columns(). */
static void unmix_columns(uint8_t *block)
{
    for (uint8_t *c = block; c < block + BLOCK; c += 4) {
        uint8_t even = twice(twice(c[0] ^ c[2])), odd = twice(twice(c[1] ^ c[3]));
        c[0] ^= even;
        c[1] ^= odd;
        c[2] ^= even;
        c[3] ^= odd;
    }
    mix_columns(block);
}

/* Decrypts one block in place. */
static void aes_decrypt(const uint8_t *key, uint8_t *block)
{
    uint8_t round_key[BLOCK], before[BLOCK], constants[10], constant = 1;
    memcpy(round_key, key, BLOCK);
    for (uint8_t round = 0; round < 10; round++, constant = twice(constant)) {
        constants[round] = constant;
        next_round_key(round_key, constant);
    }
    for (uint8_t round = 10; round-- > 0;) {
        add_key(block, round_key);
        if (round < 9)
            unmix_columns(block);
        memcpy(before, block, BLOCK);
        for (uint8_t i = 0; i < BLOCK; i++)
            block[5 * i % BLOCK] = read_byte(&AES_INVERSE_BOX[before[i]]);
        previous_round_key(round_key, constants[round]);
    }
    add_key(block, round_key);
}

/* ---- Records: AEAD_AES_128_CBC_HMAC_SHA_256 (RFC 7518, section 5.2.3), the IV made of the header ---- */

static void record_iv(const struct iotcenter_keys *keys, const uint8_t *header, uint8_t *iv)
{
    memset(iv, 0, BLOCK);
    memcpy(iv, header, 5);
    memcpy(iv + 12, header + 5, 4);
    aes_encrypt(keys->iv, iv);
}

/* Writes 32 bytes, of which the first 16 are the tag. `size` is the ciphertext's. */
static void record_tag(const struct iotcenter_keys *keys, const uint8_t *record, uint16_t size, const uint8_t *iv,
                       uint8_t *out)
{
    struct sha256 hash;
    uint8_t bits[8] = {0, 0, 0, 0, 0, 0, 0, HEADER_SIZE * 8};
    hmac_start(&hash, keys->mac, sizeof keys->mac);
    sha256_add(&hash, record, HEADER_SIZE);
    sha256_add(&hash, iv, BLOCK);
    sha256_add(&hash, record + HEADER_SIZE, size);
    sha256_add(&hash, bits, sizeof bits);
    hmac_finish(&hash, keys->mac, sizeof keys->mac, out);
}

/* Encrypts and tags the record, whose header is complete and whose plaintext of `size` bytes lies behind it. There are
 * 32 bytes more behind that. Returns the size of the record. */
static uint16_t seal(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size)
{
    uint8_t iv[BLOCK], tag[32];
    uint8_t *text = record + HEADER_SIZE, *last = iv, padding = BLOCK - size % BLOCK;
    record_iv(keys, record, iv);
    memset(text + size, padding, padding);
    size += padding;
    for (uint16_t at = 0; at < size; at += BLOCK) {
        add_key(text + at, last);
        aes_encrypt(keys->text, text + at);
        last = text + at;
    }
    record_tag(keys, record, size, iv, tag);
    memcpy(text + size, tag, TAG_SIZE);
    return HEADER_SIZE + size + TAG_SIZE;
}

/* Checks the record of `size` bytes, which is of a size that a record can have, and decrypts it in place. Returns the
 * size of the plaintext behind the header; 0 where the record is not genuine. */
static uint16_t open_record(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size)
{
    uint8_t iv[BLOCK], tag[32], *text = record + HEADER_SIZE;
    size -= HEADER_SIZE + TAG_SIZE;
    record_iv(keys, record, iv);
    record_tag(keys, record, size, iv, tag);
    if (!equal(tag, text + size))
        return 0;
    for (uint16_t at = size; at > 0;) {
        at -= BLOCK;
        aes_decrypt(keys->text, text + at);
        add_key(text + at, at > 0 ? text + at - BLOCK : iv);
    }
    uint8_t padding = text[size - 1];
    return padding <= BLOCK ? size - padding : 0;
}


/* ---- MessagePack: writing into the message. After what does not fit, `filled` is more than `room`. ---- */

static void write_byte(struct iotcenter *device, uint8_t byte)
{
    if (device->filled < device->room)
        device->message[device->filled++] = byte;
    else
        device->filled = device->room + 1;
}

/* `type` is that of a number of 32 bits. */
static void write_32(struct iotcenter *device, uint8_t type, uint32_t bits)
{
    uint8_t bytes[4];
    put32(bytes, bits);
    write_byte(device, type);
    for (uint8_t i = 0; i < sizeof bytes; i++)
        write_byte(device, bytes[i]);
}

static void write_int(struct iotcenter *device, int32_t number)
{
    if (number >= 0 && number < 0x80)
        write_byte(device, (uint8_t)number);
    else
        write_32(device, 0xD2, (uint32_t)number);
}

/* Up to 255 bytes. */
static void write_length(struct iotcenter *device, uint16_t size)
{
    if (size > 0xFF)
        device->filled = device->room; /* so that nothing more fits */
    if (size < 0x20)
        size |= 0xA0;
    else
        write_byte(device, 0xD9);
    write_byte(device, (uint8_t)size);
}

static void write_text(struct iotcenter *device, const char *text, uint16_t size)
{
    write_length(device, size);
    while (size-- > 0)
        write_byte(device, (uint8_t)*text++);
}

static void write_string(struct iotcenter *device, const char *text)
{
    write_text(device, text, (uint16_t)strlen(text));
}

/* Writes a text that lies in flash. */
static void write_flash(struct iotcenter *device, const char *text)
{
    write_byte(device, 0xA0 | (uint8_t)flash_length(text));
    for (uint8_t byte; (byte = read_byte(text)) != 0; text++)
        write_byte(device, byte);
}

static void write_bool(struct iotcenter *device, bool truth)
{
    write_byte(device, truth ? 0xC3 : 0xC2);
}

static void write_value(struct iotcenter *device, const struct iotcenter_value *value)
{
    if (value->type == IOTCENTER_TEXT)
        write_string(device, value->as.text);
    else if (value->type == IOTCENTER_FLOAT)
        write_32(device, 0xCA, float_bits(value->as.number));
    else if (value->type == IOTCENTER_INT)
        write_int(device, value->as.integer);
    else if (value->type == IOTCENTER_BOOL)
        write_bool(device, value->as.integer != 0);
    else
        write_byte(device, 0xC0);
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

/* ---- MessagePack: reading a record ---- */

struct reader {
    const uint8_t *at, *end;
};

/* One element: its first byte, and what lies behind that, or, of an array or a map, how many elements follow. */
struct element {
    uint8_t type;
    const uint8_t *data;
    uint16_t size;
    uint16_t inside;
};

enum { MAP = 0x80, ARRAY = 0x90, TEXT = 0xA0, NIL = 0xC0, INTEGER = 0xCC };

/* The types 0xC0 to 0xDF: how many bytes a number has, or the length of a text, an array or a map. Binary data,
 * extensions and lengths of 32 bits come in no command, and are not read: 0x80. */
static const uint8_t WIDTHS[32] IOTCENTER_FLASH = {
    0, 0x80, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4, 8, 1, 2, 4, 8,
    1, 2, 4, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 2, 0x80, 2, 0x80, 2, 0x80,
};

/* Reads the next element. False where it is cut short, or not one that is read. */
static bool next(struct reader *reader, struct element *element)
{
    if (reader->at >= reader->end)
        return false;
    uint8_t byte = *reader->at++;
    uint16_t size = 0, inside = 0;
    element->type = byte;
    if (byte < 0x80 || byte >= 0xE0) { /* a number that is its own type */
        element->type = 0xD0;
        reader->at--;
        size = 1;
    } else if (byte < TEXT) {
        element->type = byte & 0xF0;
        inside = byte & 0x0F;
    } else if (byte < NIL) {
        element->type = TEXT;
        size = byte & 0x1F;
    } else {
        size = read_byte(&WIDTHS[byte - NIL]);
        if (size > (size_t)(reader->end - reader->at))
            return false;
        if (byte >= 0xD9) {
            uint16_t length = 0;
            while (size-- > 0)
                length = (uint16_t)(length << 8 | *reader->at++);
            size = length;
            element->type = TEXT;
            if (byte >= 0xDC) {
                element->type = byte == 0xDC ? ARRAY : MAP;
                inside = size;
                size = 0;
            }
        }
    }
    if (size > (size_t)(reader->end - reader->at))
        return false;
    element->data = reader->at;
    element->size = size;
    element->inside = inside;
    reader->at += size;
    return true;
}

/* Passes over one element with all that is in it. */
static bool skip(struct reader *reader)
{
    struct element element;
    for (uint32_t left = 1; left > 0; left--) {
        if (!next(reader, &element))
            return false;
        left += element.inside;
        if (element.type == MAP)
            left += element.inside;
    }
    return true;
}

static bool reads_as(const struct element *element, const char *text)
{
    return element->type == TEXT && element->size == strlen(text) && memcmp(element->data, text, element->size) == 0;
}

/* The lower 32 bits of a whole number. */
static uint32_t integer(const struct element *element)
{
    uint32_t number = element->type >= 0xD0 && *element->data >= 0x80 ? 0xFFFFFFFFUL : 0;
    for (uint8_t i = 0; i < element->size; i++)
        number = number << 8 | element->data[i];
    return number;
}

/* ---- Time ---- */

/* Reads the clock, and lets the timers run. */
static void look_at_clock(struct iotcenter *device)
{
    uint32_t passed = (device->config->milliseconds(device->config->user) - device->milliseconds) / (1000 / SECOND);
    device->milliseconds += passed * (1000 / SECOND);
    device->quarters += passed;
    for (uint8_t i = 0; i < TIMERS; i++)
        if (device->timers[i] != NEVER)
            device->timers[i] = device->timers[i] > passed ? (uint16_t)(device->timers[i] - passed) : 0;
}

/* 2 s, doubled `times`, and up to half of it more by chance, so that many devices do not keep step. */
static uint16_t patience(struct iotcenter *device, uint8_t times)
{
    uint16_t time = FIRST_TIMEOUT << times;
    device->chance = device->chance * 25173U + 13849U;
    return time + (uint16_t)((uint32_t)time * (device->chance >> 8) >> 9);
}

static void set_time(struct iotcenter *device, const uint8_t *bytes)
{
    device->epoch = get32(bytes) - device->quarters / SECOND;
}

/* ---- The handshake ---- */

static void transmit(struct iotcenter *device, uint16_t size)
{
    device->config->send(device->config->user, device->packet, size);
}

/* Derives the key for one purpose ("auth", "session" or "nonce") from the device's own; writes 32 bytes. */
static void derive(const struct iotcenter *device, const char *purpose, uint8_t *out)
{
    uint8_t key[IOTCENTER_KEY_SIZE], salt[4] = {'i', 'o', 't', '2'};
    copy_from_flash(key, device->config->key, sizeof key);
    hmac(salt, sizeof salt, key, sizeof key, NULL, 0, key);
    hkdf_expand(key, purpose, out, 32);
}

/* A nonce that never was before: made of the boot count, of noise, and of the nonce before it. */
static void renew_nonce(struct iotcenter *device)
{
    const struct iotcenter_config *config = device->config;
    uint8_t source[36], key[32];
    memset(source, 0, sizeof source);
    put32(source, config->boots);
    if (config->entropy != NULL)
        config->entropy(config->user, source + 4);
    memcpy(source + 20, device->nonce, sizeof device->nonce);
    derive(device, FLASH("nonce"), key);
    hmac(key, sizeof key, source, sizeof source, NULL, 0, key);
    memcpy(device->nonce, key, sizeof device->nonce);
    memcpy(&device->chance, key + 16, sizeof device->chance);
}

/* Writes HELLO, 52 bytes, the same for the same nonce; and the key of its MAC, 32 bytes, to `auth`. */
static void write_hello(const struct iotcenter *device, uint8_t *out, uint8_t *auth)
{
    uint8_t mac[32];
    out[0] = HELLO;
    out[1] = SUITE;
    out[2] = (device->config->sleepy ? SLEEPY : 0) | (device->fresh ? FRESH_BOOT : 0);
    out[3] = (uint8_t)(device->packet_size / 16);
    copy_from_flash(out + 4, device->config->id, IOTCENTER_ID_SIZE);
    memcpy(out + 20, device->nonce, sizeof device->nonce);
    derive(device, FLASH("auth"), auth);
    hmac(auth, 32, out, 36, NULL, 0, mac);
    memcpy(out + 36, mac, 16);
}

/* Lets the handshake begin in so many quarters of a second. */
static void greet(struct iotcenter *device, uint16_t wait)
{
    device->greeting = true;
    device->hellos = 0;
    device->timers[HELLO_TIMER] = wait;
}

static void send_hello(struct iotcenter *device)
{
    uint8_t slowest = device->config->sleepy ? SLOWEST_ASLEEP : SLOWEST, auth[32];
    if (device->hellos % TRIES == 0)
        renew_nonce(device);
    write_hello(device, device->packet, auth);
    transmit(device, HELLO_SIZE);
    device->timers[HELLO_TIMER] = patience(device, device->hellos < slowest ? device->hellos : slowest);
    if (++device->hellos == 51 * TRIES)
        device->hellos -= TRIES;
    device->timers[LISTEN_TIMER] = ANSWER_WINDOW;
}

/* Makes the session's keys of the two messages that were exchanged. */
static void derive_session(struct iotcenter *device, const uint8_t *hello, const uint8_t *welcome)
{
    uint8_t transcript[32], key[32];
    sha256(hello, HELLO_SIZE, welcome, WELCOME_SIZE, transcript);
    derive(device, FLASH("session"), key);
    hmac(transcript, sizeof transcript, key, sizeof key, NULL, 0, key);
    hkdf_expand(key, FLASH("up"), device->up.mac, sizeof device->up);
    hkdf_expand(key, FLASH("down"), device->down.mac, sizeof device->down);
}

static uint8_t waiting_kind(const struct iotcenter *device)
{
    return device->slot == WAITING ? device->message[0] & KIND : KIND;
}

static void begin_session(struct iotcenter *device, const uint8_t *welcome)
{
    memcpy(device->cid, welcome + 4, sizeof device->cid);
    memcpy(device->welcomed, welcome + 24, sizeof device->welcomed);
    set_time(device, welcome + 24);
    device->keepalive = welcome[3] > 0 ? welcome[3] * 5 : KEEPALIVE;
    device->phase = UNCONFIRMED;
    device->sent = device->received = device->window = 0;
    device->session_at = device->quarters;
    device->timers[MESSAGE_TIMER] = device->timers[KEEPALIVE_TIMER] = 0;
    device->timers[HELLO_TIMER] = HELLO_PAUSE;
    device->tries = device->unanswered = 0;
    device->greeting = false;
    device->offered = waiting_kind(device) == OFFER;
}

static void receive_welcome(struct iotcenter *device, uint16_t size)
{
    uint8_t *welcome = device->packet, *hello = welcome + WELCOME_SIZE, key[32];
    if (!device->greeting || size != WELCOME_SIZE || welcome[1] != SUITE)
        return;
    write_hello(device, hello, key);
    hmac(key, sizeof key, hello, HELLO_SIZE, welcome, 28, key);
    if (!equal(key, welcome + 28))
        return;
    derive_session(device, hello, welcome);
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
static uint8_t *next_record(const struct iotcenter *device)
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
    put32(record + 5, ++device->sent);
    size = seal(&device->up, record, size);
    if (record != packet) {
        write_hello(device, packet, auth);
        packet[0] = OPEN;
        memcpy(packet + HELLO_SIZE, device->welcomed, sizeof device->welcomed);
        size += PREFIX_SIZE;
    }
    device->timers[KEEPALIVE_TIMER] = device->keepalive * SECOND;
    transmit(device, size);
}

/* Sends a record without a body, which may be an acknowledgement of `mid`. */
static void send_short(struct iotcenter *device, uint8_t kind, uint16_t mid)
{
    uint8_t *text = next_record(device) + HEADER_SIZE;
    text[0] = kind;
    text[1] = text[2] = 0;
    text[3] = (uint8_t)(mid >> 8);
    text[4] = (uint8_t)mid;
    send_record(device, kind & ACKNOWLEDGES ? 5 : 3);
}

/* Whether a record of this number may be taken: it is new, and not too far back. */
static bool newer(const struct iotcenter *device, uint32_t number)
{
    uint32_t behind = device->received - number;
    if (number > device->received)
        return true;
    return number > 0 && behind < WINDOW && !(device->window >> (uint8_t)behind & 1);
}

static void mark(struct iotcenter *device, uint32_t number)
{
    for (; device->received < number && device->window != 0; device->received++)
        device->window <<= 1;
    if (device->received < number)
        device->received = number;
    device->window |= 1UL << (uint8_t)(device->received - number);
}

/* Somebody says that the server does not know this session. It may be true: ask, but not too often. */
static void receive_reset(struct iotcenter *device, uint16_t size)
{
    const uint8_t *packet = device->packet;
    if (size == RESET_SIZE && device->phase == CONFIRMED && !device->greeting && device->timers[HELLO_TIMER] == 0 &&
        memcmp(packet + 1, device->cid, sizeof device->cid) == 0 && device->sent - get32(packet + 5) < WINDOW)
        greet(device, 0);
}

/* ---- Messages ---- */

/* Begins the message with its kind and its id. */
static void write_head(struct iotcenter *device, uint8_t kind)
{
    device->filled = 0;
    write_byte(device, kind | CONFIRMABLE);
    write_byte(device, (uint8_t)(device->mid >> 8));
    write_byte(device, (uint8_t)device->mid);
}

/* Begins a message where no other is on its way; a keepalive makes way, since any message is one. */
static bool begin(struct iotcenter *device, uint8_t kind)
{
    if (iotcenter_busy(device))
        return false;
    device->slot = WRITING;
    device->mid++;
    write_head(device, kind);
    return true;
}

static void commit(struct iotcenter *device)
{
    look_at_clock(device);
    device->slot = WAITING;
    device->tries = 0;
    device->made_at = device->quarters;
    device->timers[MESSAGE_TIMER] = 0;
}

/* Says what the device is and offers, right where it is sealed: it need not be kept, since it can be said again. Returns
 * its size. */
static uint16_t write_offer(struct iotcenter *device)
{
    uint8_t *message = device->message;
    uint16_t room = device->room, size;
    device->message = next_record(device) + HEADER_SIZE;
    device->room = record_room(device->packet_size);
    device->slot = WRITING;
    write_head(device, OFFER);
    write_byte(device, ARRAY | 3);
    write_flash(device, FLASH("C 1.0"));
    write_32(device, 0xCE, device->boot);
    device->count_at = device->filled;
    device->inner_at = 0;
    write_byte(device, ARRAY);
    if (device->config->on_offer != NULL)
        device->config->on_offer(device->config->user, device);
    size = device->filled;
    device->slot = WAITING;
    device->message = message;
    device->room = room;
    return size;
}

/* Puts the message where it is sealed; a report that waited says for how long. Returns its size. */
static uint16_t copy_message(struct iotcenter *device)
{
    uint8_t *text = next_record(device) + HEADER_SIZE, kind = waiting_kind(device);
    uint16_t size = device->filled;
    uint32_t age = (device->quarters - device->made_at) / SECOND;
    if (kind == OFFER)
        return write_offer(device);
    memcpy(text, device->message, size);
    if (kind == REPORT && age > 0) {
        text[3]++; /* the array has one element more */
        text[size] = 0xD2;
        put32(text + size + 1, 0 - age);
        size += AGE_SIZE;
    }
    return size;
}

/* Whether the message goes into one datagram now: the prefix may leave it no room. */
static bool fits(const struct iotcenter *device)
{
    uint16_t size = device->filled + (AGE_SIZE + BLOCK + PREFIX_SIZE + HEADER_SIZE + TAG_SIZE);
    return device->phase == CONFIRMED || (waiting_kind(device) != OFFER && size <= device->packet_size);
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
    device->timers[MESSAGE_TIMER] = patience(device, device->tries++);
    device->timers[LISTEN_TIMER] = ANSWER_WINDOW;
}

/* ---- Commands ---- */

struct iotcenter_command {
    struct element name, id;
    struct reader arguments;
};

/* Reads [id, name, {argument: value}]. */
static bool read_command(struct reader reader, struct iotcenter_command *command)
{
    bool read = next(&reader, &command->name) && command->name.type == ARRAY && next(&reader, &command->id) &&
                command->id.type >= INTEGER && next(&reader, &command->name) && command->name.type == TEXT;
    command->arguments = reader;
    return read;
}

static bool remembered(const struct iotcenter *device, uint32_t id)
{
    for (uint8_t i = 0; i < COMMANDS; i++)
        if (device->commands[i] == id)
            return true;
    return false;
}

/* Begins the result, which repeats the id as it came. Where there is no room for it now, no new message is begun until
 * the command comes again, or does not. */
static bool begin_result(struct iotcenter *device, const struct element *id)
{
    if (!begin(device, RESULT)) {
        device->timers[HOLD_TIMER] = HOLD;
        return false;
    }
    device->timers[HOLD_TIMER] = 0;
    write_byte(device, 0x93);
    write_byte(device, id->type);
    for (uint16_t i = 0; i < id->size; i++)
        write_byte(device, id->data[i]);
    device->count_at = device->filled;
    return true;
}

/* Runs a command, unless it is known. Returns whether it can be acknowledged. */
static bool run_command(struct iotcenter *device, struct reader body)
{
    const struct iotcenter_config *config = device->config;
    struct iotcenter_command command;
    if (!read_command(body, &command) || remembered(device, integer(&command.id)))
        return true;
    if (!begin_result(device, &command.id))
        return false;
    device->commands[device->next_command++ % COMMANDS] = integer(&command.id);
    if (config->on_command != NULL)
        config->on_command(config->user, device, &command);
    if (device->filled == device->count_at)
        iotcenter_done(device, iotcenter_none());
    commit(device);
    return true;
}

/* ---- What the server says ---- */

static void receive_configuration(struct iotcenter *device, struct reader body)
{
    struct element array, keepalive;
    if (next(&body, &array) && array.type == ARRAY && next(&body, &keepalive) && keepalive.type >= INTEGER &&
        integer(&keepalive) - 1 < LONGEST_KEEPALIVE)
        device->keepalive = (uint16_t)integer(&keepalive);
}

/* Acts on the content of a genuine record. */
static void receive_content(struct iotcenter *device, const uint8_t *text, uint16_t size)
{
    uint8_t kind = text[0], header = kind & ACKNOWLEDGES ? 5 : 3;
    struct reader body = {text + header, text + size};
    bool answer = (kind & CONFIRMABLE) != 0;
    uint16_t mid = (uint16_t)(text[1] << 8 | text[2]);
    if (size < header)
        return;
    if (kind & ACKNOWLEDGES) {
        if (device->slot == WAITING && device->mid == (uint16_t)(text[3] << 8 | text[4]))
            device->slot = EMPTY;
        if ((kind & KIND) == PING && size >= header + 4U)
            set_time(device, body.at);
    }
    if (kind & MORE)
        device->timers[LISTEN_TIMER] = LISTEN_WINDOW;
    else if (device->slot != WAITING)
        device->timers[LISTEN_TIMER] = 0;
    kind &= KIND;
    if (kind == CLOSE) {
        end_session(device, CLOSE_PAUSE);
        return;
    }
    if (kind == COMMAND && !run_command(device, body))
        return;
    if (kind == CONFIGURATION)
        receive_configuration(device, body);
    if (answer)
        send_short(device, PING | ACKNOWLEDGES, mid);
}

static void receive_record(struct iotcenter *device, uint16_t size)
{
    uint8_t *record = device->packet;
    uint32_t number = get32(record + 5);
    if (device->phase < UNCONFIRMED || size < HEADER_SIZE + BLOCK + TAG_SIZE ||
        size % BLOCK != (HEADER_SIZE + TAG_SIZE) % BLOCK)
        return;
    if (memcmp(record + 1, device->cid, sizeof device->cid) != 0 || !newer(device, number))
        return;
    size = open_record(&device->down, record, size);
    if (size == 0)
        return;
    mark(device, number);
    if (device->phase == UNCONFIRMED)
        device->timers[MESSAGE_TIMER] = 0; /* what the prefix left no room for */
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
    uint32_t age = device->quarters - device->session_at;
    if (device->greeting)
        return;
    if (device->phase == NO_SESSION || (device->phase == UNCONFIRMED && age > OPEN_LIFE))
        end_session(device, 0);
    else if (age > SESSION_LIFE || device->sent >= RENEW_AT)
        greet(device, 0);
}

/* Sends what is due within the session. */
static void speak(struct iotcenter *device)
{
    if (!device->offered && begin(device, OFFER)) {
        device->offered = true;
        commit(device);
    }
    if (device->slot == EMPTY && device->timers[KEEPALIVE_TIMER] == 0 && !device->config->sleepy) {
        begin(device, PING);
        commit(device);
    }
    if (device->slot == WAITING && device->timers[MESSAGE_TIMER] == 0)
        send_message(device);
}

/* Quarters of a second until something is due. */
static uint16_t next_timer(const struct iotcenter *device)
{
    uint16_t wait = NEVER;
    for (uint8_t i = 0; i < TIMERS; i++)
        if (device->timers[i] > 0 && device->timers[i] < wait)
            wait = device->timers[i];
    return wait;
}

uint32_t iotcenter_poll(struct iotcenter *device)
{
    if (device->phase == STOPPED)
        return IOTCENTER_FOREVER;
    look_at_clock(device);
    keep_session(device);
    if (device->greeting && device->timers[HELLO_TIMER] == 0)
        send_hello(device);
    if (device->phase >= UNCONFIRMED)
        speak(device);
    return next_timer(device) * (1000UL / SECOND);
}

/* ---- What the application calls ---- */

static enum iotcenter_error fault(const struct iotcenter_config *config)
{
    if (config->packet == NULL || config->packet_size < IOTCENTER_MIN_PACKET)
        return IOTCENTER_SMALL_BUFFER;
    if (config->message == NULL || config->message_size < IOTCENTER_MIN_MESSAGE)
        return IOTCENTER_SMALL_BUFFER;
    return config->send == NULL || config->milliseconds == NULL ? IOTCENTER_NO_CALLBACK : IOTCENTER_OK;
}

/* A message fits into its buffer, and with its age into a record. */
static void take_buffers(struct iotcenter *device)
{
    const struct iotcenter_config *config = device->config;
    uint16_t size = config->packet_size > IOTCENTER_MAX_PACKET ? IOTCENTER_MAX_PACKET : config->packet_size;
    uint16_t room = record_room(size) - AGE_SIZE;
    device->packet = config->packet;
    device->packet_size = size;
    device->message = config->message;
    device->room = config->message_size < room ? config->message_size : room;
}

enum iotcenter_error iotcenter_start(struct iotcenter *device, const struct iotcenter_config *config)
{
    enum iotcenter_error error = fault(config);
    memset(device, 0, sizeof *device);
    if (error != IOTCENTER_OK)
        return error;
    bool random = config->entropy != NULL && config->entropy(config->user, device->nonce);
    if (!random && config->boots == 0)
        return IOTCENTER_NOT_FRESH;
    memset(device->commands, 0xFF, sizeof device->commands);
    device->config = config;
    take_buffers(device);
    device->milliseconds = config->milliseconds(config->user);
    device->boot = config->boots > 0 ? config->boots : get32(device->nonce) >> 1 | 1;
    device->sequence = 1;
    device->fresh = true;
    device->phase = NO_SESSION;
    return IOTCENTER_OK;
}

void iotcenter_resume(struct iotcenter *device, const struct iotcenter_config *config, uint32_t slept)
{
    device->config = config;
    take_buffers(device);
    device->milliseconds = config->milliseconds(config->user) - slept;
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
    return device->slot != EMPTY && waiting_kind(device) != PING;
}

bool iotcenter_listening(const struct iotcenter *device)
{
    return device->timers[LISTEN_TIMER] != 0;
}

uint32_t iotcenter_time(const struct iotcenter *device)
{
    return device->epoch == 0 ? 0 : device->epoch + device->quarters / SECOND;
}

/* Whether a message of this kind is being written. */
static bool writing(const struct iotcenter *device, uint8_t kind)
{
    return device->slot == WRITING && (device->message[0] & KIND) == kind;
}

/* Begins a message of the application's, unless a command waits for its place. */
static bool begin_own(struct iotcenter *device, uint8_t kind)
{
    return device->phase != STOPPED && device->timers[HOLD_TIMER] == 0 && begin(device, kind);
}

bool iotcenter_report(struct iotcenter *device)
{
    if (!begin_own(device, REPORT))
        return false;
    write_byte(device, 0x93);
    write_32(device, 0xCE, device->boot);
    write_32(device, 0xCE, device->sequence);
    device->count_at = device->filled;
    write_byte(device, ARRAY);
    return true;
}

bool iotcenter_reading(struct iotcenter *device, const char *series, struct iotcenter_value value, uint32_t age)
{
    uint16_t began = device->filled;
    if (!writing(device, REPORT))
        return false;
    write_byte(device, age > 0 ? 0x93 : 0x92);
    write_string(device, series);
    write_value(device, &value);
    if (age > 0)
        write_32(device, 0xD2, 0 - age);
    return counted(device, device->count_at, began);
}

bool iotcenter_send(struct iotcenter *device)
{
    if (!writing(device, REPORT))
        return false;
    uint8_t count = device->message[device->count_at] & MOST_ELEMENTS;
    device->slot = EMPTY;
    if (count == 0)
        return false;
    device->sequence += count;
    commit(device);
    return true;
}

bool iotcenter_log(struct iotcenter *device, const char *level, const char *text)
{
    if (!begin_own(device, LOG))
        return false;
    write_byte(device, 0x91);
    write_byte(device, 0x91);
    write_byte(device, 0x93);
    write_32(device, 0xCE, iotcenter_time(device));
    write_string(device, level);
    write_string(device, text);
    device->slot = EMPTY;
    if (device->filled > device->room)
        return false;
    commit(device);
    return true;
}

bool iotcenter_offer_series(struct iotcenter *device, const char *name, const char *unit, uint16_t every)
{
    uint16_t began = device->filled;
    if (!writing(device, OFFER) || device->inner_at > 0)
        return false;
    write_byte(device, MAP | (1 + (unit[0] != 0) + (every > 0)));
    write_flash(device, FLASH("name"));
    write_string(device, name);
    if (unit[0] != 0) {
        write_flash(device, FLASH("unit"));
        write_string(device, unit);
    }
    if (every > 0) {
        write_flash(device, FLASH("every"));
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
    write_byte(device, ARRAY);
    device->message[3]++;
    return true;
}

bool iotcenter_offer_command(struct iotcenter *device, const char *name, bool confirm)
{
    if (!writing(device, OFFER) || !begin_commands(device))
        return false;
    uint16_t began = device->filled;
    write_byte(device, MAP | (2 + confirm));
    write_flash(device, FLASH("name"));
    write_string(device, name);
    if (confirm) {
        write_flash(device, FLASH("confirm"));
        write_bool(device, true);
    }
    write_flash(device, FLASH("arguments"));
    write_byte(device, ARRAY);
    device->inner_at = device->filled - 1;
    return counted(device, device->count_at, began);
}

bool iotcenter_offer_argument(struct iotcenter *device, const char *name, const char *type, bool required)
{
    uint16_t began = device->filled;
    if (!writing(device, OFFER) || device->inner_at <= device->count_at || device->inner_at >= began)
        return false;
    write_byte(device, MAP | (required ? 2 : 3));
    write_flash(device, FLASH("name"));
    write_string(device, name);
    write_flash(device, FLASH("type"));
    write_string(device, type);
    if (!required) {
        write_flash(device, FLASH("required"));
        write_bool(device, false);
    }
    return counted(device, device->inner_at, began);
}

bool iotcenter_is(const struct iotcenter_command *command, const char *name)
{
    return reads_as(&command->name, name);
}

/* Finds an argument. */
static bool find(const struct iotcenter_command *command, const char *name, struct element *element)
{
    struct reader reader = command->arguments;
    if (!next(&reader, element) || element->type != MAP)
        return false;
    for (uint16_t left = element->inside; left > 0; left--) {
        if (!next(&reader, element))
            return false;
        if (reads_as(element, name))
            return next(&reader, element);
        if (!skip(&reader))
            return false;
    }
    return false;
}

bool iotcenter_bool_argument(const struct iotcenter_command *command, const char *name, bool *value)
{
    struct element element;
    if (!find(command, name, &element) || (element.type | 1) != 0xC3)
        return false;
    *value = element.type & 1;
    return true;
}

bool iotcenter_int_argument(const struct iotcenter_command *command, const char *name, int32_t *value)
{
    struct element element;
    if (!find(command, name, &element) || element.type < INTEGER || element.size > 4)
        return false;
    if (element.type == 0xCE && *element.data >= 0x80)
        return false;
    *value = (int32_t)integer(&element);
    return true;
}

/* A double as a float, rounded; what is too large becomes infinite, what is too small zero. */
static uint32_t narrowed(const uint8_t *data)
{
    uint32_t high = get32(data), low = get32(data + 4), sign = high & 0x80000000UL;
    int16_t exponent = (int16_t)(high >> 20 & 0x7FF) - 1023 + 127;
    if (exponent <= 0)
        return sign;
    if (exponent >= 255)
        return sign | 0x7F800000UL;
    return sign | (((uint32_t)exponent << 23 | (high & 0xFFFFF) << 3 | low >> 29) + (low >> 28 & 1));
}

bool iotcenter_float_argument(const struct iotcenter_command *command, const char *name, float *value)
{
    struct element element;
    if (!find(command, name, &element) || element.type < 0xCA)
        return false;
    if (element.type >= INTEGER) {
        *value = (float)(int32_t)integer(&element);
    } else {
        uint32_t bits = element.size == 8 ? narrowed(element.data) : get32(element.data);
        memcpy(value, &bits, sizeof bits);
    }
    return true;
}

bool iotcenter_text_argument(const struct iotcenter_command *command, const char *name, char *value, uint16_t size)
{
    struct element element;
    if (!find(command, name, &element) || element.type != TEXT || element.size >= size)
        return false;
    memcpy(value, element.data, element.size);
    value[element.size] = 0;
    return true;
}

void iotcenter_done(struct iotcenter *device, struct iotcenter_value result)
{
    if (!writing(device, RESULT))
        return;
    device->message[3] = 0x93;
    device->filled = device->count_at;
    write_flash(device, FLASH("done"));
    write_value(device, &result);
    if (device->filled > device->room)
        iotcenter_failed(device, "done, with a long result");
}

void iotcenter_failed(struct iotcenter *device, const char *reason)
{
    if (!writing(device, RESULT))
        return;
    device->message[3] = 0x94;
    device->filled = device->count_at;
    write_flash(device, FLASH("failed"));
    write_byte(device, NIL);
    uint16_t size = (uint16_t)strlen(reason), most = device->room - device->filled - 2;
    if (most > 0xFF)
        most = 0xFF;
    if (size > most) {
        for (size = most; (reason[size] & 0xC0) == 0x80; size--) /* a character stays whole */
            ;
    }
    write_text(device, reason, size);
}
