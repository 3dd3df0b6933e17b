/*
 * IotCenter for microcontrollers: readings up, commands down, over encrypted UDP (version 2).
 *
 * Pure C99 without allocation, stdio or recursion. One device is one `struct iotcenter`; all memory is the caller's, and
 * the core meets the world through the callbacks in `struct iotcenter_config` alone. It is to be called from one thread,
 * and not from an interrupt.
 *
 *     iotcenter_start()            once
 *     put a datagram into config.packet, then iotcenter_receive()      whenever one came from the server
 *     iotcenter_poll()             from the loop; it says for how long it may be left alone
 *     iotcenter_report() ... iotcenter_reading() ... iotcenter_send()  to report
 *
 * One message is on its way at a time. It is kept, and sent again, until the server has acknowledged it, which it does
 * once the readings are on disk. While there is one, iotcenter_busy() is true and no other can be begun.
 */
#ifndef IOTCENTER_H
#define IOTCENTER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVR__
#include <avr/pgmspace.h>
#define IOTCENTER_FLASH PROGMEM
#else
#define IOTCENTER_FLASH
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define IOTCENTER_ID_SIZE 16
#define IOTCENTER_KEY_SIZE 32

/* The smallest buffers. A packet of 128 bytes takes a command of 95; a message of 48 any "failed: ..." of ours. */
#define IOTCENTER_MIN_PACKET 128
#define IOTCENTER_MIN_MESSAGE 48

/* The most that is sent: what every network carries without fragments. */
#define IOTCENTER_MAX_PACKET 1200

/* What iotcenter_poll() returns when nothing is to be done before somebody else does something. */
#define IOTCENTER_FOREVER UINT32_MAX

struct iotcenter;
struct iotcenter_command;

enum iotcenter_state {
    IOTCENTER_OFFLINE, /* there is no session; the core tries to get one */
    IOTCENTER_ONLINE   /* the server has answered within this session */
};

enum iotcenter_error {
    IOTCENTER_OK,
    IOTCENTER_SMALL_BUFFER, /* a buffer is smaller than the smallest above */
    IOTCENTER_NO_CALLBACK,  /* send or milliseconds is missing */
    IOTCENTER_NOT_FRESH     /* neither a random source nor a boot count: recorded answers could be played to the device */
};

/* What the core needs. It keeps a pointer to this: let it live as long as the device. */
struct iotcenter_config {
    /* Who the device is: 16 and 32 bytes. On AVR they lie in flash: declare both arrays IOTCENTER_FLASH. */
    const uint8_t *id;
    const uint8_t *key;

    /* One datagram, as it comes and goes. Nothing is kept in it between two calls. */
    uint8_t *packet;
    uint16_t packet_size;

    /* The message on its way, in the clear. The largest one decides its size; see the README. */
    uint8_t *message;
    uint16_t message_size;

    /* Sleeps between reports. The server then sends a command only right after an acknowledgement. */
    bool sleepy;

    /* How often the device has started, if it keeps count (from 1, on disk before iotcenter_start()); 0 if not: then a
     * random number stands for it. Keep count where the chip starts anew for every report. */
    uint32_t boots;

    /* Handed to every callback. */
    void *user;

    /* Send `size` bytes to the server as one datagram. May fail: the core sends again. */
    void (*send)(void *user, const uint8_t *data, uint16_t size);

    /* A clock that counts on while the device sleeps, and wraps at 2^32. */
    uint32_t (*milliseconds)(void *user);

    /* Fill `noise` with random bytes, or return false. NULL where the chip has no random source; then `boots` counts. */
    bool (*entropy)(void *user, uint8_t noise[16]);

    /* Tell what the device offers, with iotcenter_offer_...(), the same each time. NULL: nothing is declared, readings
     * show all the same. What fits into config.packet is told. */
    void (*on_offer)(void *user, struct iotcenter *device);

    /* Do what the command says, once, and answer with iotcenter_done() or iotcenter_failed(). It may not take long. */
    void (*on_command)(void *user, struct iotcenter *device, const struct iotcenter_command *command);

    /* The state changed. NULL where nobody cares. */
    void (*on_state)(void *user, enum iotcenter_state state);
};

/* One direction's keys: for the tag, for the text, and for the initialisation vectors. */
struct iotcenter_keys {
    uint8_t mac[16], text[16], iv[16];
};

/* Time, as it passed when the clock was read last. */
struct iotcenter_clock {
    uint32_t milliseconds; /* what the clock said, but for what makes no whole quarter yet */
    uint32_t quarters;     /* of a second since the start */
    uint16_t timers[5];    /* quarters of a second that are left */
};

/* Which records came. */
struct iotcenter_seen {
    uint32_t highest; /* of their numbers */
    uint32_t window;  /* bit n: record `highest` - n came */
};

/* A device. Its fields are the core's own. The small ones come first: an AVR reaches 64 bytes from a pointer cheaply; and
 * iotcenter_avr.S knows where the first three are. */
struct iotcenter {
    uint8_t *message;          /* that of the configuration */
    uint16_t room;             /* how long a message may be */
    uint16_t filled;           /* bytes in it; more than `room` says that something did not fit */
    const struct iotcenter_config *config;
    uint8_t *packet;           /* that of the configuration */
    uint16_t packet_size;      /* what is used of it */
    uint16_t count_at;         /* where the length stands of the array that grows */
    uint16_t inner_at;         /* likewise, of an array within one of its elements */
    uint16_t mid;              /* of the last message */
    uint16_t keepalive;        /* seconds */
    uint8_t phase;             /* of the session */
    uint8_t slot;              /* what `message` holds */
    uint8_t hellos;            /* how often HELLO was sent */
    uint8_t next_command;      /* where in `commands` the next id goes */
    bool online;               /* what on_state was told last */
    bool greeting;             /* HELLO waits for its WELCOME */
    bool offered;              /* the offer of this session is made */
    bool fresh;                /* no session of this boot was confirmed yet */
    struct iotcenter_clock clock;
    uint32_t made_at;          /* when the message was made, in seconds */
    uint8_t tries;             /* how often it was sent; a new session begins with zeros from here */
    uint8_t unanswered;        /* rounds of tries in a row without an answer */
    uint32_t sent;             /* the number of the last record */
    uint32_t session_at;       /* when the session began, in quarters */
    struct iotcenter_seen seen;
    uint32_t boot, sequence;   /* what the next reading is known by for ever */
    uint32_t epoch;            /* the server's time when `quarters` was 0 */
    uint32_t commands[8];      /* the last ids, their bits inverted: zero is none */
    uint8_t cid[4];            /* the session's name */
    uint8_t welcomed[4];       /* the WELCOME's time, as it came; needed until the session is confirmed */
    uint8_t nonce[16];         /* of the last HELLO */
    struct iotcenter_keys up, down;
};

enum iotcenter_type { IOTCENTER_NONE, IOTCENTER_BOOL, IOTCENTER_INT, IOTCENTER_FLOAT, IOTCENTER_TEXT };

/* A value of a reading or of a result. */
struct iotcenter_value {
    uint8_t type; /* enum iotcenter_type */
    union {
        int32_t integer;
        float number;
        const char *text;
    } as;
};

static inline struct iotcenter_value iotcenter_none(void)
{
    struct iotcenter_value value = {IOTCENTER_NONE, {0}};
    return value;
}

static inline struct iotcenter_value iotcenter_bool(bool truth)
{
    struct iotcenter_value value = {IOTCENTER_BOOL, {truth}};
    return value;
}

static inline struct iotcenter_value iotcenter_int(int32_t integer)
{
    struct iotcenter_value value = {IOTCENTER_INT, {integer}};
    return value;
}

static inline struct iotcenter_value iotcenter_float(float number)
{
    struct iotcenter_value value = {IOTCENTER_FLOAT, {0}};
    value.as.number = number;
    return value;
}

/* Up to 255 bytes of UTF-8. */
static inline struct iotcenter_value iotcenter_text(const char *text)
{
    struct iotcenter_value value = {IOTCENTER_TEXT, {0}};
    value.as.text = text;
    return value;
}

/* ---- Running ---- */

/* Starts a device; writes all of `device`. */
enum iotcenter_error iotcenter_start(struct iotcenter *device, const struct iotcenter_config *config);

/* Goes on after a sleep of `slept` milliseconds in which `device`, and the message's buffer, were kept, and all else was
 * forgotten: with the same session, and with the message that was on its way. */
void iotcenter_resume(struct iotcenter *device, const struct iotcenter_config *config, uint32_t slept);

/* Does what is due, and returns in how many milliseconds to call again if no datagram comes before. */
uint32_t iotcenter_poll(struct iotcenter *device);

/* Takes in the datagram of `size` bytes in config.packet. What is not from the server changes nothing. */
void iotcenter_receive(struct iotcenter *device, uint16_t size);

/* Says goodbye to the server: the device shows as offline at once. iotcenter_start() begins anew. */
void iotcenter_stop(struct iotcenter *device);

/* Whether a message is on its way, so that no other can be begun. */
bool iotcenter_busy(const struct iotcenter *device);

/* Whether an answer or a command may come at any moment: leave the radio on. */
bool iotcenter_listening(const struct iotcenter *device);

/* The Unix time in seconds by the server's clock; 0 before it was heard. */
uint32_t iotcenter_time(const struct iotcenter *device);

/* ---- Saying something. Each function returns false, and changes nothing, where there is no room. ---- */

/* Begins a report. False as well while another message is on its way. */
bool iotcenter_report(struct iotcenter *device);

/* Adds a reading that was taken `age` seconds ago: up to 15, as far as there is room. */
bool iotcenter_reading(struct iotcenter *device, const char *series, struct iotcenter_value value, uint32_t age);

/* Ends the report, and sends it from the next iotcenter_poll() on. False, and no report, where it has no reading. */
bool iotcenter_send(struct iotcenter *device);

/* Writes a line into the device's log on the server. `level` is "debug", "info", "warning" or "error". */
bool iotcenter_log(struct iotcenter *device, const char *level, const char *text);

/* ---- Within on_offer: series first, then each command followed by its arguments; up to 15 of each ---- */

/* `unit` is a symbol of SenML, such as Cel or V; `every` the interval in seconds that the device means to keep, or 0. */
bool iotcenter_offer_series(struct iotcenter *device, const char *name, const char *unit, uint16_t every);

/* `confirm` makes the sender think twice. */
bool iotcenter_offer_command(struct iotcenter *device, const char *name, bool confirm);

/* `type` is "boolean", "integer", "number" or "string". */
bool iotcenter_offer_argument(struct iotcenter *device, const char *name, const char *type, bool required);

/* ---- Within on_command ---- */

/* Whether it is the command `name`. */
bool iotcenter_is(const struct iotcenter_command *command, const char *name);

/* Reads the argument `name` into `value`, and leaves that alone, and returns false, where the argument was left out or
 * is no such value. */
bool iotcenter_bool_argument(const struct iotcenter_command *command, const char *name, bool *value);
bool iotcenter_int_argument(const struct iotcenter_command *command, const char *name, int32_t *value);
bool iotcenter_float_argument(const struct iotcenter_command *command, const char *name, float *value);

/* The same for a text, with a zero at its end; false as well where `size` bytes do not hold it. */
bool iotcenter_text_argument(const struct iotcenter_command *command, const char *name, char *value, uint16_t size);

/* The command was done, with this result. The same where on_command returns without having said anything. */
void iotcenter_done(struct iotcenter *device, struct iotcenter_value result);

/* The command failed; `reason` is for the person who sent it. */
void iotcenter_failed(struct iotcenter *device, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
