/*
 * The C core under arbitrary input, with sanitizers: an input is a script of datagrams as anybody sends them, of records
 * that are genuine but hold anything, of time that passes, and of calls of the application. With libFuzzer this is its
 * target; without, `fuzz SEED COUNT` makes so many inputs by chance.
 */
#include "../../device/arduino/IotCenter/src/iotcenter.c"

#include <stdio.h>
#include <stdlib.h>

static const uint8_t id[16] = {1}, key[32] = {2};

static struct iotcenter device;
static struct iotcenter_config config;
static uint32_t clock_now, number;
static const uint8_t *input;
static size_t left;

static uint8_t take(void)
{
    if (left == 0)
        return 0;
    left--;
    return *input++;
}

static uint16_t take_bytes(uint8_t *out, uint16_t most)
{
    uint16_t size = take();
    if (size > most)
        size = most;
    if (size > left)
        size = (uint16_t)left;
    memcpy(out, input, size);
    input += size;
    left -= size;
    return size;
}

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check_datagram(void *user, const uint8_t *data, uint16_t size)
{
    (void)user;
    expect(data == config.packet && size <= config.packet_size);
    if (data[0] == HELLO)
        expect(size == HELLO_SIZE);
    else
        expect(size >= 41 && size % 16 == (data[0] == OPEN ? 1 : 9) && (data[0] == UP || data[0] == OPEN));
}

static uint32_t read_clock(void *user)
{
    (void)user;
    return clock_now;
}

static void offer(void *user, struct iotcenter *to)
{
    (void)user;
    iotcenter_offer_series(to, "a series with a long name", "Cel", 10);
    iotcenter_offer_command(to, "relay", true);
    for (int i = 0; i < 20; i++)
        iotcenter_offer_argument(to, "argument", "boolean", i % 2);
    iotcenter_offer_series(to, "too late", "", 0);
}

static void command(void *user, struct iotcenter *to, const struct iotcenter_command *command)
{
    char text[9];
    bool truth;
    int32_t integer;
    float real;
    (void)user;
    expect(!iotcenter_report(to));
    iotcenter_bool_argument(command, "a", &truth);
    iotcenter_int_argument(command, "b", &integer);
    iotcenter_float_argument(command, "c", &real);
    if (iotcenter_text_argument(command, "d", text, sizeof text))
        expect(strlen(text) < sizeof text);
    if (iotcenter_is(command, "x"))
        iotcenter_failed(to, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
    else if (!iotcenter_is(command, "y"))
        iotcenter_done(to, iotcenter_text("done"));
}

/* Makes the WELCOME that the server would, with whatever is in it. */
static uint16_t welcome(void)
{
    uint8_t auth[32], *made = config.packet + HELLO_SIZE;
    write_hello(&device, auth);
    take_bytes(made, 28);
    made[0] = WELCOME;
    made[1] = SUITE;
    iotcenter_hmac(auth, sizeof auth, config.packet, HELLO_SIZE + 28, auth);
    memcpy(made + 28, auth, 16);
    memmove(config.packet, made, WELCOME_SIZE);
    number = 0;
    return WELCOME_SIZE;
}

static uint16_t record(void)
{
    uint16_t room = (config.packet_size - HEADER_SIZE - TAG_SIZE - BLOCK) / BLOCK * BLOCK - 1, size;
    uint8_t *sealed = calloc(1, config.packet_size + 32u);
    sealed[0] = DOWN;
    memcpy(sealed + 1, device.cid, sizeof device.cid);
    number += take() % 40;
    iotcenter_put32(sealed + 5, number);
    size = iotcenter_seal(&device.down, sealed, take_bytes(sealed + HEADER_SIZE, room));
    memcpy(config.packet, sealed, size);
    free(sealed);
    return size;
}

static void report(void)
{
    char name[256];
    struct iotcenter_value values[] = {iotcenter_none(), iotcenter_bool(true), iotcenter_int(-5), iotcenter_float(1),
                                       iotcenter_text(name)};
    if (!iotcenter_report(&device))
        return;
    for (uint8_t count = take() % 20; count > 0; count--) {
        name[take_bytes((uint8_t *)name, sizeof name - 1)] = 0;
        iotcenter_reading(&device, name, values[take() % 5], take());
    }
    iotcenter_send(&device);
}

static void act(void)
{
    static const uint16_t STEPS[] = {10, 1000, 5000, 60000};
    char text[256];
    switch (take() % 10) {
    case 0:
        iotcenter_receive(&device, take_bytes(config.packet, config.packet_size));
        break;
    case 1:
        if (device.greeting)
            iotcenter_receive(&device, welcome());
        break;
    case 2: case 3: case 4: case 5:
        if (device.phase >= UNCONFIRMED)
            iotcenter_receive(&device, record());
        break;
    case 6:
        report();
        break;
    case 7:
        text[take_bytes((uint8_t *)text, sizeof text - 1)] = 0;
        iotcenter_log(&device, "info", text);
        break;
    case 8:
        clock_now += STEPS[take() % 4] * (uint32_t)(1 + take());
        break;
    default:
        iotcenter_resume(&device, &config, 1000);
    }
    iotcenter_poll(&device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    left = size;
    config = (struct iotcenter_config){
        .id = id, .key = key, .boots = 1, .sleepy = take() & 1, .send = check_datagram, .milliseconds = read_clock,
        .on_offer = offer, .on_command = command,
    };
    config.packet_size = IOTCENTER_MIN_PACKET + take();
    config.message_size = IOTCENTER_MIN_MESSAGE + take();
    config.packet = malloc(config.packet_size);
    config.message = malloc(config.message_size);
    expect(iotcenter_start(&device, &config) == IOTCENTER_OK);
    iotcenter_poll(&device);
    while (left > 0)
        act();
    iotcenter_stop(&device);
    free(config.packet);
    free(config.message);
    return 0;
}

#ifdef STANDALONE
/* Contents that are right, so that what is made by chance comes far. */
#define SAMPLE(text) {sizeof text - 1, text}

static const struct {
    uint8_t size;
    const char *bytes;
} SAMPLES[] = {
    SAMPLE("\x42\x00\x01\x93\x07\xa5relay\x84\xa1" "a\xc3\xa1" "b\x05\xa1" "c\xcb@\x09!\xfbTD-\x18\xa1" "d\xa3xyz"),
    SAMPLE("\x42\x00\x02\x93\xcd\x01\x00\xa1x\x81\xa1" "b\xd2\xff\x00\x00\x00"),
    SAMPLE("\xe0\x00\x02\x00\x01" "abcd"),
    SAMPLE("\x80\x01\x01\x00\x02" "abcd"),
    SAMPLE("\x48\x00\x03\x92\x19\xa4name"),
    SAMPLE("\x07\x01\x01"),
};

enum { MOST = 600, ROOM = 60, FIRST = 3 /* what start() and both sizes take */ };

/* A WELCOME, then bytes by chance, with one of the samples every so often, some of them with a byte changed. */
static size_t make_input(uint8_t *data)
{
    size_t size = FIRST + 30 + (size_t)rand() % (MOST - FIRST - 30);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(rand() >> 7);
    data[FIRST] = 1;
    data[FIRST + 1] = 28;
    for (size_t at = FIRST + 30; at + ROOM < size; at += (size_t)rand() % ROOM) {
        int which = rand() % (int)(sizeof SAMPLES / sizeof *SAMPLES);
        data[at] = 2;
        data[at + 1] = 1;
        data[at + 2] = SAMPLES[which].size;
        memcpy(data + at + 3, SAMPLES[which].bytes, SAMPLES[which].size);
        at += 3U + SAMPLES[which].size;
        if (rand() % 2)
            data[at - 1 - (size_t)rand() % SAMPLES[which].size] ^= (uint8_t)(1 << rand() % 8);
    }
    return size;
}

int main(int count, char **words)
{
    uint8_t data[MOST];
    if (count < 3)
        return 2;
    srand((unsigned)atoi(words[1]));
    for (long run = atol(words[2]); run > 0; run--)
        LLVMFuzzerTestOneInput(data, make_input(data));
    return 0;
}
#endif
