/*
 * A firmware for the ATmega328P: its UART is its network, datagrams in SLIP (RFC 1055). It counts seconds as the series
 * "uptime", and has a relay on pin B5, which the command "relay" switches. IDENTITY holds its id and its key.
 */
#include "iotcenter.h"

#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#include IDENTITY

enum { END = 0xC0, ESCAPE = 0xDB, ESCAPED_END = 0xDC, ESCAPED_ESCAPE = 0xDD };

static uint8_t packet[IOTCENTER_MIN_PACKET], message[IOTCENTER_MIN_MESSAGE];
static struct iotcenter device;

static volatile uint32_t milliseconds;
static volatile uint8_t received[256]; /* a ring: the interrupt writes, the loop reads */
static volatile uint8_t head;
static uint8_t tail;

ISR(TIMER0_COMPA_vect)
{
    milliseconds++;
}

ISR(USART_RX_vect)
{
    received[head++] = UDR0;
}

static uint32_t read_clock(void *user)
{
    (void)user;
    cli();
    uint32_t now = milliseconds;
    sei();
    return now;
}

static void put(uint8_t byte)
{
    while (!(UCSR0A & _BV(UDRE0)))
        ;
    UDR0 = byte;
}

static void send_datagram(void *user, const uint8_t *data, uint16_t size)
{
    (void)user;
    put(END);
    while (size-- > 0) {
        uint8_t byte = *data++;
        if (byte == END || byte == ESCAPE) {
            put(ESCAPE);
            byte = byte == END ? ESCAPED_END : ESCAPED_ESCAPE;
        }
        put(byte);
    }
    put(END);
}

/* Returns the size of a datagram that is complete in `packet`, or 0. What is too long is dropped. */
static uint16_t receive_datagram(void)
{
    static uint16_t size;
    static bool escaped;
    while (tail != head) {
        uint8_t byte = received[tail++];
        if (byte == END) {
            uint16_t whole = size;
            size = 0;
            if (whole > 0 && whole <= sizeof packet)
                return whole;
            continue;
        }
        if (byte == ESCAPE) {
            escaped = true;
            continue;
        }
        if (escaped)
            byte = byte == ESCAPED_END ? END : ESCAPE;
        escaped = false;
        if (size < sizeof packet)
            packet[size] = byte;
        size++;
    }
    return 0;
}

static void offer(void *user, struct iotcenter *to)
{
    (void)user;
    iotcenter_offer_series(to, "uptime", "s", 1);
    iotcenter_offer_command(to, "relay", false);
    iotcenter_offer_argument(to, "on", "boolean", true);
}

static void command(void *user, struct iotcenter *to, const struct iotcenter_command *command)
{
    bool on;
    (void)user;
    if (!iotcenter_is(command, "relay") || !iotcenter_bool_argument(command, "on", &on)) {
        iotcenter_failed(to, "no such command");
        return;
    }
    if (on)
        PORTB |= _BV(PB5);
    else
        PORTB &= ~_BV(PB5);
    iotcenter_done(to, iotcenter_bool(PORTB & _BV(PB5)));
}

static uint32_t count_boots(void)
{
    static uint32_t EEMEM stored = 0;
    uint32_t boots = eeprom_read_dword(&stored);
    boots = boots == UINT32_MAX ? 1 : boots + 1;
    eeprom_update_dword(&stored, boots);
    return boots;
}

static void start_hardware(void)
{
    DDRB = _BV(PB5);
    TCCR0A = _BV(WGM01);
    TCCR0B = _BV(CS01) | _BV(CS00);
    OCR0A = 249; /* 16 MHz / 64 / 250: a millisecond */
    TIMSK0 = _BV(OCIE0A);
    UBRR0 = 1; /* 1 Mbit/s */
    UCSR0A = _BV(U2X0);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
    sei();
}

int main(void)
{
    static struct iotcenter_config config = {
        .id = id, .key = key, .packet = packet, .packet_size = sizeof packet, .message = message,
        .message_size = sizeof message, .send = send_datagram, .milliseconds = read_clock, .on_offer = offer,
        .on_command = command,
    };
    uint32_t next = 1000;
    config.boots = count_boots();
    start_hardware();
    if (iotcenter_start(&device, &config) != IOTCENTER_OK)
        return 1;
    for (;;) {
        uint16_t size;
        while ((size = receive_datagram()) > 0)
            iotcenter_receive(&device, size);
        if ((int32_t)(read_clock(NULL) - next) >= 0 && iotcenter_report(&device)) {
            iotcenter_reading(&device, "uptime", iotcenter_int((int32_t)(next / 1000)), 0);
            iotcenter_send(&device);
            next += 1000;
        }
        iotcenter_poll(&device);
        sleep_mode();
    }
}
