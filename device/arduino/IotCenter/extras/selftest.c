/*
 * Checks on a chip, or in its emulator, that the core computes there what the protocol's vectors say: byte order,
 * alignment, the width of an int and the compiler are all in it. Prints "ok" and returns 0, or names what differs.
 *
 *     arm-none-eabi-gcc -mcpu=cortex-m0 --specs=picolibc.specs --oslib=semihost ... extras/selftest.c
 */
#include "../src/iotcenter.c"

#include <stdio.h>

static const uint8_t WELCOME_VECTOR[WELCOME_SIZE] = {
    0xc2, 0x21, 0x00, 0x05, 0xa1, 0xb2, 0xc3, 0xd4, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86,
    0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x6b, 0x02, 0x30, 0x80, 0x7d, 0xca,
    0xf8, 0xa9, 0xf0, 0xac, 0x39, 0x52, 0x9d, 0xea, 0x59, 0x26, 0x6c, 0x8f, 0xc5, 0xce,
};

static const uint8_t HELLO_MAC[16] = {
    0x25, 0xe1, 0x70, 0x0a, 0xb2, 0xe6, 0x33, 0x20, 0x63, 0xb5, 0xd0, 0xc1, 0x13, 0x40, 0x24, 0x51,
};

static const uint8_t UP_VECTOR[] = {
    0xc3, 0xa1, 0xb2, 0xc3, 0xd4, 0x00, 0x00, 0x00, 0x01, 0xda, 0x69, 0xb8, 0x0f, 0xd5,
    0x1e, 0x7e, 0x9e, 0x17, 0xd0, 0xc9, 0x29, 0x02, 0x1e, 0x5c, 0xe1, 0x16, 0x2d, 0x53,
    0x7c, 0xf4, 0x78, 0xd5, 0x1a, 0xd0, 0x6b, 0x88, 0x74, 0x40, 0xfc, 0x88, 0xb7,
};

static const uint8_t DOWN_VECTOR[] = {
    0xc4, 0xa1, 0xb2, 0xc3, 0xd4, 0x00, 0x00, 0x00, 0x01, 0xd5, 0xc5, 0xc3, 0x6c, 0x73,
    0x05, 0x51, 0xef, 0xd5, 0x1b, 0x61, 0x4c, 0xbc, 0x09, 0x32, 0xfb, 0xdf, 0xe6, 0x37,
    0xc1, 0x96, 0x83, 0xa7, 0xf3, 0x4d, 0xbd, 0xa3, 0x13, 0xed, 0x1c, 0x4e, 0x5e,
};

/* What the records of many lengths give in the end, as another implementation computed it. */
static const uint8_t LENGTHS[32] = {
    0xf3, 0x81, 0x69, 0x35, 0xa8, 0x96, 0xa6, 0xe7, 0x92, 0x07, 0x25, 0xbb, 0xcb, 0x84, 0x37, 0x99,
    0x1b, 0x66, 0xef, 0x11, 0x52, 0x37, 0x43, 0x0c, 0x92, 0xa9, 0x35, 0x37, 0x6e, 0x7e, 0x8b, 0x2b,
};

/* What the checks below give with the C that is for all chips but AVRs. */
static const uint32_t WINDOW_SUM = 0xae5a8cc1, CLOCK_SUM = 0xb36a92a2;
static const uint32_t READING_SUM = 0xf49eafb5, WRITING_SUM = 0x108ae4b2;

static const uint8_t id[16] IOTCENTER_FLASH = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static const uint8_t key[32] IOTCENTER_FLASH = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
};

static uint8_t packet[192], message[64];
static struct iotcenter device;
static struct iotcenter_config config;
static bool failed;

static void send_datagram(void *user, const uint8_t *data, uint16_t size)
{
    (void)user, (void)data, (void)size;
}

static uint32_t read_clock(void *user)
{
    (void)user;
    return 0;
}

static void check(const char *what, bool right)
{
    if (!right) {
        puts(what);
        failed = true;
    }
}

static void start(void)
{
    config.id = id;
    config.key = key;
    config.boots = 1;
    config.packet = packet;
    config.packet_size = sizeof packet;
    config.message = message;
    config.message_size = sizeof message;
    config.send = send_datagram;
    config.milliseconds = read_clock;
    check("the start", iotcenter_start(&device, &config) == IOTCENTER_OK);
}

static void check_handshake(void)
{
    uint8_t auth[32];
    for (uint8_t i = 0; i < sizeof device.nonce; i++)
        device.nonce[i] = 0x40 + i;
    device.fresh = false;
    device.greeting = true;
    write_hello(&device, auth);
    check("HELLO", memcmp(packet + MAC_AT, HELLO_MAC, sizeof HELLO_MAC) == 0);
    memcpy(packet, WELCOME_VECTOR, sizeof WELCOME_VECTOR);
    iotcenter_receive(&device, sizeof WELCOME_VECTOR);
    check("WELCOME", device.phase == UNCONFIRMED && iotcenter_time(&device) == 1795305600UL);
}

static void check_records(void)
{
    memcpy(packet, UP_VECTOR, HEADER_SIZE);
    memcpy(packet + HEADER_SIZE, "\1\0\0{\"t\":21.5}", 13);
    check("UP", iotcenter_seal(&device.up, packet, 13) == sizeof UP_VECTOR &&
                    memcmp(packet, UP_VECTOR, sizeof UP_VECTOR) == 0);
    memcpy(packet, DOWN_VECTOR, sizeof DOWN_VECTOR);
    check("DOWN", iotcenter_open(&device.down, packet, sizeof DOWN_VECTOR) == 3 && packet[HEADER_SIZE] == 0x83);
    for (uint8_t at = 0; at < sizeof DOWN_VECTOR; at++) {
        memcpy(packet, DOWN_VECTOR, sizeof DOWN_VECTOR);
        packet[at] ^= 1;
        check("a forged record", iotcenter_open(&device.down, packet, sizeof DOWN_VECTOR) == 0);
    }
}

/* Seals and opens records of many lengths, each with keys of its own, which come of all the records before it. */
static void check_lengths(void)
{
    uint8_t all[32] = {0};
    bool right = true;
    memcpy(packet, UP_VECTOR, HEADER_SIZE);
    for (uint8_t length = 0; length < 100; length += 3) {
        iotcenter_expand(all, FLASH("up"), device.up.mac, sizeof device.up);
        memset(packet + HEADER_SIZE, length, length);
        uint16_t size = iotcenter_seal(&device.up, packet, length);
        iotcenter_hmac(all, sizeof all, packet, (uint8_t)size, all);
        right &= iotcenter_open(&device.up, packet, size) == length;
        for (uint8_t i = 0; i < length; i++)
            right &= packet[HEADER_SIZE + i] == length;
    }
    check("records of all lengths", right && memcmp(all, LENGTHS, sizeof all) == 0);
}

/* Numbers as if by chance, the same everywhere. */
static uint32_t chance(void)
{
    static uint32_t number;
    return number = number * 1664525UL + 1013904223UL;
}

static uint32_t mixed(uint32_t sum, uint32_t number)
{
    return (sum << 5 | sum >> 27) ^ number;
}

/* Lets records of all kinds of numbers come, early, late, twice and far off. */
static void check_numbers(void)
{
    struct iotcenter_seen seen = {0, 0};
    uint32_t sum = 0;
    for (uint16_t i = 0; i < 600; i++) {
        uint32_t number = seen.highest + (chance() >> 26) - 40, leap = chance();
        if (leap >> 28 == 0)
            number += leap >> (leap & 15);
        sum = mixed(sum, iotcenter_newer(&seen, number, i % 4 != 0));
        sum = mixed(mixed(sum, seen.highest), seen.window);
    }
    check("the window", sum == WINDOW_SUM);
}

/* Lets moments pass, and days. */
static void check_clock(void)
{
    struct iotcenter_clock clock = {0, 0, {0}};
    uint32_t sum = 0, now = 0;
    for (uint8_t i = 0; i < 200; i++) {
        uint32_t passed = chance();
        now += i == 100 ? 0xC0000000UL : passed >> (8 + (passed & 15));
        clock.timers[i % TIMERS] = (uint16_t)(chance() >> 16);
        iotcenter_pass(&clock, now);
        sum = mixed(mixed(sum, clock.milliseconds), clock.quarters);
        for (uint8_t timer = 0; timer < TIMERS; timer++)
            sum = mixed(sum, clock.timers[timer]);
    }
    check("the clock", sum == CLOCK_SUM);
}

/* Looks for arguments in a map whose names end where others go on, and in maps of made-up elements, many of which are cut
 * short. */
static void check_reading(void)
{
    static const uint8_t names[] = {0x84, 0xA2, 'a', 0, 1, 0xA2, 'a', 'b', 2, 0xA0, 3, 0xA1, 'a', 4};
    static const uint8_t firsts[] = {
        0xA1, 0x00, 0xC3, 0x92, 0x81, 0xA1, 0xD1, 0xCC, 0x90, 0x82, 0x8F, 0xA3, 0xC0, 0xC1, 0xC4, 0xCA,
        0xCB, 0xCD, 0xCE, 0xCF, 0xD0, 0xD2, 0xD3, 0xD9, 0xDA, 0xDC, 0xDE, 0xDF, 0xE1, 0xFF, 0x02, 0x7F,
    };
    static uint8_t made[40];
    struct iotcenter_command command;
    struct reader reader;
    uint32_t sum = 0;
    memset(&command, 0, sizeof command);
    command.reader.at = names;
    command.reader.end = names + sizeof names;
    check("a name", iotcenter_find(&command, "a", &reader) && iotcenter_integer(&reader) == 4);
    for (uint16_t i = 0; i < 3000; i++) {
        for (uint8_t at = 0; at < sizeof made; at++) {
            uint32_t number = chance();
            made[at] = at > 0 && made[at - 1] == 0xA1 ? 'a' + (number >> 30) : firsts[number >> 25 & (i % 2 == 0 ? 31 : 7)];
        }
        made[0] = 0x80 | (made[0] & 0x0F);
        command.reader.at = made;
        command.reader.end = made + 10 + i % 30;
        bool found = iotcenter_find(&command, "a", &reader);
        sum = mixed(sum, (uint32_t)(reader.at - made) << 8 | found);
        if (found)
            sum = mixed(sum, (uint32_t)reader.type << 16 | reader.size);
        if (found && reader.type >= INTEGER)
            sum = mixed(sum, iotcenter_integer(&reader));
        sum = mixed(sum, found && iotcenter_reads_as(&reader, "a"));
        sum = mixed(sum, iotcenter_next_is(&reader, TEXT));
        sum = mixed(sum, iotcenter_next_integer(&reader));
    }
    check("reading", sum == READING_SUM);
}

/* Writes messages of whatever fits, and does not. */
static void check_writing(void)
{
    char text[300];
    uint32_t sum = 0;
    memset(text, 'a', sizeof text);
    for (uint16_t i = 0; i < 400; i++) {
        uint16_t size = (uint16_t)(chance() >> 23) % sizeof text;
        if (device.filled > device.room || i == 0)
            device.filled = 0;
        device.room = (uint16_t)(chance() >> 26);
        iotcenter_write_32(&device, 0xD2, chance());
        text[size] = 0;
        iotcenter_write_string(&device, text + (i % 3 == 0 ? 0 : size - size % 40));
        text[size] = 'a';
        iotcenter_write_bytes(&device, (const uint8_t *)text, i % 3);
        iotcenter_write_flash(&device, FLASH("flash"));
        sum = mixed(sum, device.filled);
        for (uint8_t at = 0; at < sizeof message; at++)
            sum = mixed(sum, message[at]);
    }
    check("writing", sum == WRITING_SUM);
}

int main(void)
{
    start();
    check_handshake();
    check_records();
    check_lengths();
    check_numbers();
    check_clock();
    check_reading();
    check_writing();
    puts(failed ? "differs" : "ok");
    return failed;
}
