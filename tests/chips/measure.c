/*
 * Measures the core on an ATmega328P: a line for each with its name and a number, of cycles or of bytes. The source is
 * included, so that the server's side of the talk can be made with its inner functions.
 */
#include "../../device/arduino/IotCenter/src/iotcenter.c"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdio.h>

#include IDENTITY

enum { PRESCALER = 256, PAINT = 0xA5 };

extern uint8_t __heap_start;

static uint8_t packet[IOTCENTER_MIN_PACKET], message[IOTCENTER_MIN_MESSAGE];
static struct iotcenter device;
static struct iotcenter_config config;
static uint32_t now;
static uint16_t deepest;

static int print_byte(char byte, FILE *file)
{
    (void)file;
    while (!(UCSR0A & _BV(UDRE0)))
        ;
    UDR0 = (uint8_t)byte;
    return 0;
}

static void send_datagram(void *user, const uint8_t *data, uint16_t size)
{
    (void)user, (void)data, (void)size;
}

static uint32_t read_clock(void *user)
{
    (void)user;
    return now += 1000;
}

static void paint_stack(void)
{
    for (uint8_t *at = &__heap_start; at < (uint8_t *)SP - 8; at++)
        *at = PAINT;
}

/* How deep the stack has been below here since it was painted. */
static uint16_t stack_used(void)
{
    uint8_t *at = &__heap_start;
    while (*at == PAINT)
        at++;
    return (uint16_t)((uint8_t *)SP - at);
}

static void say(const char *name, uint32_t number)
{
    printf("%s %lu\n", name, number);
}

static void begin_measuring(void)
{
    paint_stack();
    TCNT1 = 0;
    TCCR1B = _BV(CS12);
}

static void end_measuring(const char *name)
{
    uint32_t cycles = TCNT1 * (uint32_t)PRESCALER;
    uint16_t used = stack_used();
    TCCR1B = 0;
    if (used > deepest)
        deepest = used;
    say(name, cycles);
}

/* Makes a WELCOME to the HELLO that was sent, as the server would. */
static void make_welcome(void)
{
    uint8_t auth[32], *welcome = packet + HELLO_SIZE;
    write_hello(&device, auth);
    memset(welcome, 7, WELCOME_SIZE);
    welcome[0] = WELCOME;
    welcome[1] = SUITE;
    iotcenter_hmac(auth, sizeof auth, packet, HELLO_SIZE + 28, auth);
    memcpy(welcome + 28, auth, 16);
    memmove(packet, welcome, WELCOME_SIZE);
}

/* Makes the server's record with this plaintext; returns its size. */
static uint16_t make_record(const uint8_t *text, uint8_t size)
{
    static uint32_t number;
    packet[0] = DOWN;
    memcpy(packet + 1, device.cid, sizeof device.cid);
    iotcenter_put32(packet + 5, ++number);
    memcpy(packet + HEADER_SIZE, text, size);
    return iotcenter_seal(&device.down, packet, size);
}

static void measure(void)
{
    uint8_t ack[] = {PING | ACKNOWLEDGES, 0, 0, 0, 0, 1, 2, 3, 4};
    uint16_t size;
    begin_measuring();
    iotcenter_poll(&device);
    end_measuring("cycles-hello");
    make_welcome();
    begin_measuring();
    iotcenter_receive(&device, WELCOME_SIZE);
    end_measuring("cycles-welcome");
    begin_measuring();
    iotcenter_poll(&device);
    end_measuring("cycles-first-record");
    ack[4] = (uint8_t)device.mid;
    size = make_record(ack, sizeof ack);
    iotcenter_receive(&device, size);
    iotcenter_report(&device);
    iotcenter_reading(&device, "t", iotcenter_float(21.5), 0);
    iotcenter_reading(&device, "h", iotcenter_float(40), 0);
    iotcenter_send(&device);
    begin_measuring();
    iotcenter_poll(&device);
    end_measuring("cycles-record-out");
    ack[4] = (uint8_t)device.mid;
    size = make_record(ack, sizeof ack);
    begin_measuring();
    iotcenter_receive(&device, size);
    end_measuring("cycles-record-in");
    say("busy", iotcenter_busy(&device));
}

int main(void)
{
    static FILE uart = FDEV_SETUP_STREAM(print_byte, NULL, _FDEV_SETUP_WRITE);
    stdout = &uart;
    UBRR0 = 1;
    UCSR0A = _BV(U2X0);
    UCSR0B = _BV(TXEN0);
    config.id = id;
    config.key = key;
    config.boots = 1;
    config.packet = packet;
    config.packet_size = sizeof packet;
    config.message = message;
    config.message_size = sizeof message;
    config.send = send_datagram;
    config.milliseconds = read_clock;
    say("error", iotcenter_start(&device, &config));
    measure();
    say("bytes-device", sizeof device);
    say("bytes-config", sizeof config);
    say("bytes-buffers", sizeof packet + sizeof message);
    say("bytes-stack", deepest);
    set_sleep_mode(SLEEP_MODE_PWR_DOWN);
    cli();
    sleep_mode();
}
