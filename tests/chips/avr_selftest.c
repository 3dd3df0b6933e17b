/* The self-test on an ATmega328P: what it prints goes to the UART, and then the chip sleeps for good. */
#define main self_test
#include "../../device/arduino/IotCenter/extras/selftest.c"
#undef main

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

static int print_byte(char byte, FILE *file)
{
    (void)file;
    while (!(UCSR0A & _BV(UDRE0)))
        ;
    UDR0 = (uint8_t)byte;
    return 0;
}

int main(void)
{
    static FILE uart = FDEV_SETUP_STREAM(print_byte, NULL, _FDEV_SETUP_WRITE);
    stdout = &uart;
    UBRR0 = 1;
    UCSR0A = _BV(U2X0);
    UCSR0B = _BV(TXEN0);
    self_test();
    set_sleep_mode(SLEEP_MODE_PWR_DOWN);
    cli();
    sleep_mode();
}
