/*
 * The C core under the tests' command: a line in, what came of it out, and a dot. Bytes are hexadecimal, "-" is none.
 * The source is included, so that its inner functions can be called too.
 */
#include "../../device/arduino/IotCenter/src/iotcenter.c"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 4096 };

static uint8_t arguments[6][MOST];
static unsigned sizes[6], count;

static uint32_t clock_now;
static uint8_t id[16], key[32], noise[16];
static bool has_noise;
static struct iotcenter device;
static struct iotcenter_config config;

static void print(const char *what, const uint8_t *data, unsigned size)
{
    printf("%s ", what);
    for (unsigned i = 0; i < size; i++)
        printf("%02x", data[i]);
    puts(size == 0 ? "-" : "");
}

static void send_datagram(void *user, const uint8_t *data, uint16_t size)
{
    (void)user;
    print("send", data, size);
}

static uint32_t read_clock(void *user)
{
    (void)user;
    return clock_now;
}

static bool make_noise(void *user, uint8_t out[16])
{
    (void)user;
    memcpy(out, noise, sizeof noise);
    return true;
}

static void offer(void *user, struct iotcenter *to)
{
    (void)user;
    iotcenter_offer_series(to, "t", "Cel", 10);
    iotcenter_offer_command(to, "relay", true);
    iotcenter_offer_argument(to, "on", "boolean", true);
    iotcenter_offer_argument(to, "seconds", "integer", false);
    iotcenter_offer_command(to, "level", false);
    iotcenter_offer_argument(to, "volts", "number", true);
    iotcenter_offer_argument(to, "why", "string", false);
}

static void command(void *user, struct iotcenter *to, const struct iotcenter_command *command)
{
    bool on = false;
    int32_t seconds = -1;
    float volts = -1;
    char why[8] = "?";
    (void)user;
    iotcenter_bool_argument(command, "on", &on);
    iotcenter_int_argument(command, "seconds", &seconds);
    iotcenter_float_argument(command, "volts", &volts);
    iotcenter_text_argument(command, "why", why, sizeof why);
    printf("command %.*s %d %ld %.9g %s\n", (int)command->reader.size, (const char *)command->reader.data, on,
           (long)seconds, volts, why);
    if (iotcenter_is(command, "relay"))
        iotcenter_done(to, iotcenter_bool(on));
    else if (iotcenter_is(command, "level"))
        iotcenter_done(to, iotcenter_float(volts));
    else if (iotcenter_is(command, "long"))
        iotcenter_done(to, iotcenter_text("a result that is much too long for the buffer that the message lies in, by far, "
                                          "whatever size of those that the tests use"));
    else if (iotcenter_is(command, "explain")) {
        char reason[301];
        memset(reason, '?', sizeof reason);
        reason[sizeof reason - 1] = 0;
        iotcenter_failed(to, reason);
    } else if (iotcenter_is(command, "fail"))
        iotcenter_failed(to, "gr\xc3\xbc\xc3\x9f" "e aus einem sehr langen Grund: \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
}

static void tell_state(void *user, enum iotcenter_state state)
{
    (void)user;
    printf("state %s\n", state == IOTCENTER_ONLINE ? "online" : "offline");
}

static long number(unsigned which)
{
    return strtol((const char *)arguments[which], NULL, 10);
}

static const char *text(unsigned which)
{
    return (const char *)arguments[which];
}

/* start SLEEPY BOOTS NOISE PACKET MESSAGE, after `id` and `key` */
static void start(void)
{
    has_noise = sizes[2] == sizeof noise;
    memcpy(noise, arguments[2], sizeof noise);
    free(config.packet);
    free(config.message);
    config = (struct iotcenter_config){
        .id = id, .key = key, .sleepy = number(0) != 0, .boots = (uint32_t)number(1),
        .packet_size = (uint16_t)number(3), .message_size = (uint16_t)number(4), .send = send_datagram,
        .milliseconds = read_clock, .entropy = has_noise ? make_noise : NULL, .on_offer = offer, .on_command = command,
        .on_state = tell_state,
    };
    config.packet = malloc(config.packet_size);
    config.message = malloc(config.message_size);
    printf("error %d\n", iotcenter_start(&device, &config));
}

/* reading NAME TYPE VALUE AGE, in text */
static void reading(void)
{
    struct iotcenter_value value = iotcenter_none();
    if (text(1)[0] == 'i')
        value = iotcenter_int((int32_t)number(2));
    else if (text(1)[0] == 'f')
        value = iotcenter_float(strtof(text(2), NULL));
    else if (text(1)[0] == 'b')
        value = iotcenter_bool(number(2) != 0);
    else if (text(1)[0] == 't')
        value = iotcenter_text(text(2));
    printf("said %d\n", iotcenter_reading(&device, text(0), value, (uint32_t)number(3)));
}

/* RFC 7518, section 5.2.2.1, of the functions that a record is made with: aead MAC-KEY TEXT-KEY IV DATA PLAINTEXT */
static void aead(void)
{
    uint8_t out[32], head[MOST], *plain = arguments[4], *last = arguments[2];
    unsigned size = sizes[4] / 16 * 16 + 16;
    memset(plain + sizes[4], (int)(size - sizes[4]), size - sizes[4]);
    for (unsigned at = 0; at < size; last = plain + at, at += 16) {
        add_key(plain + at, last);
        aes(arguments[1], plain + at, ENCRYPT);
    }
    memcpy(head, arguments[3], sizes[3]);
    memcpy(head + sizes[3], arguments[2], 16);
    iotcenter_put32(plain + size, 0);
    iotcenter_put32(plain + size + 4, sizes[3] * 8);
    hmac_of_two(arguments[0], 16, head, (uint8_t)(sizes[3] + 16), plain, (uint16_t)(size + 8), out);
    memcpy(plain + size, out, 16);
    print("got", plain, size + 16);
}

static void primitive(const char *verb)
{
    static uint8_t out[MOST];
    struct iotcenter_keys keys;
    unsigned size = 32;
    memcpy(&keys, arguments[0], sizeof keys);
    if (strcmp(verb, "sha256") == 0) {
        hmac_of_two(NULL, NO_KEY, NULL, 0, arguments[0], (uint16_t)sizes[0], out);
    } else if (strcmp(verb, "hmac") == 0) {
        hmac_of_two(arguments[0], (uint8_t)sizes[0], NULL, 0, arguments[1], (uint16_t)sizes[1], out);
    } else if (strcmp(verb, "expand") == 0) {
        size = (unsigned)number(2);
        iotcenter_expand(arguments[0], (const char *)arguments[1], out, (uint8_t)((size + 15) / 16 * 16));
    } else if (strcmp(verb, "derive") == 0) {
        config.key = key;
        device.config = &config;
        derive(&device, (const char *)arguments[0], out);
    } else if (strcmp(verb, "hello") == 0) {
        memcpy(device.nonce, arguments[0], sizeof device.nonce);
        device.fresh = false;
        device.greeting = true;
        write_hello(&device, out);
        memcpy(out, device.packet, size = HELLO_SIZE);
    } else if (strcmp(verb, "session") == 0) {
        size = sizeof device.up + sizeof device.down;
        memcpy(out, &device.up, sizeof device.up);
        memcpy(out + sizeof device.up, &device.down, sizeof device.down);
    } else if (strcmp(verb, "encrypt") == 0 || strcmp(verb, "decrypt") == 0) {
        memcpy(out, arguments[1], size = 16);
        aes(arguments[0], out, verb[0] == 'e' ? ENCRYPT : DECRYPT);
    } else if (strcmp(verb, "seal") == 0) {
        memcpy(out, arguments[1], 9);
        memcpy(out + 9, arguments[2], sizes[2]);
        size = iotcenter_seal(&keys, out, (uint16_t)sizes[2]);
    } else if (strcmp(verb, "open") == 0) {
        uint8_t *record = malloc(sizes[1]);
        memcpy(record, arguments[1], sizes[1]);
        size = iotcenter_open(&keys, record, (uint16_t)sizes[1]);
        memcpy(out, record + 9, size);
        free(record);
    }
    print("got", out, size);
}

static bool act(const char *verb)
{
    if (strcmp(verb, "id") == 0)
        memcpy(id, arguments[0], sizeof id);
    else if (strcmp(verb, "key") == 0)
        memcpy(key, arguments[0], sizeof key);
    else if (strcmp(verb, "start") == 0)
        start();
    else if (strcmp(verb, "clock") == 0)
        clock_now = (uint32_t)strtoul(text(0), NULL, 10);
    else if (strcmp(verb, "poll") == 0)
        printf("wait %lu\n", (unsigned long)iotcenter_poll(&device));
    else if (strcmp(verb, "receive") == 0) {
        memcpy(config.packet, arguments[0], sizes[0] < config.packet_size ? sizes[0] : config.packet_size);
        iotcenter_receive(&device, (uint16_t)sizes[0]);
    } else if (strcmp(verb, "report") == 0)
        printf("said %d\n", iotcenter_report(&device));
    else if (strcmp(verb, "reading") == 0)
        reading();
    else if (strcmp(verb, "commit") == 0)
        printf("said %d\n", iotcenter_send(&device));
    else if (strcmp(verb, "log") == 0)
        printf("said %d\n", iotcenter_log(&device, text(0), text(1)));
    else if (strcmp(verb, "aead") == 0)
        aead();
    else if (strcmp(verb, "resume") == 0)
        iotcenter_resume(&device, &config, (uint32_t)number(0));
    else if (strcmp(verb, "stop") == 0)
        iotcenter_stop(&device);
    else if (strcmp(verb, "status") == 0)
        printf("busy %d\nlistening %d\ntime %lu\n", iotcenter_busy(&device), iotcenter_listening(&device),
               (unsigned long)iotcenter_time(&device));
    else
        return false;
    return true;
}

/* Splits the line into its verb and its arguments; those that begin with "x" are bytes, the others text. */
static const char *split(char *line)
{
    const char *verb = strtok(line, " \n");
    memset(arguments, 0, sizeof arguments);
    memset(sizes, 0, sizeof sizes);
    for (count = 0; count < 6; count++) {
        char *word = strtok(NULL, " \n");
        if (word == NULL)
            break;
        if (word[0] != 'x') {
            sizes[count] = (unsigned)strlen(word);
            memcpy(arguments[count], word, sizes[count]);
            continue;
        }
        for (unsigned byte; sscanf(word + 1 + 2 * sizes[count], "%2x", &byte) == 1;)
            arguments[count][sizes[count]++] = (uint8_t)byte;
    }
    return verb;
}

int main(void)
{
    static char line[6 * 2 * MOST];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *verb = split(line);
        if (verb != NULL && !act(verb))
            primitive(verb);
        puts(".");
        fflush(stdout);
    }
    free(config.packet);
    free(config.message);
    return 0;
}
