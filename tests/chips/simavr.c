/*
 * simavr FIRMWARE [PORT]: runs a firmware for the ATmega328P at 16 MHz. With a port its UART is joined to a UDP socket that
 * is connected to that port of 127.0.0.1: SLIP on the one side, datagrams on the other. Without one, what it prints is
 * printed, until it sleeps for good.
 */
#include <arpa/inet.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { END = 0xC0, ESCAPE = 0xDB, ESCAPED_END = 0xDC, ESCAPED_ESCAPE = 0xDD, LONGEST = 1500 };
enum { LOOK_EVERY = 1600 /* cycles: ten bytes of the UART */ };

static int network = -1;
static unsigned char datagram[LONGEST], pending[2 * LONGEST + 2];
static unsigned filled, waiting, given;
static int escaped, ready = 1;
static avr_irq_t *input;

static void from_firmware(struct avr_irq_t *irq, uint32_t value, void *param)
{
    unsigned char byte = (unsigned char)value;
    (void)irq, (void)param;
    if (network < 0) {
        putchar(byte);
        return;
    }
    if (byte == END) {
        if (filled > 0 && send(network, datagram, filled, 0) < 0)
            perror("send"); /* nobody listens there: as good as lost */
        filled = 0;
    } else if (byte == ESCAPE) {
        escaped = 1;
    } else if (filled < LONGEST) {
        datagram[filled++] = !escaped ? byte : byte == ESCAPED_END ? END : ESCAPE;
        escaped = 0;
    }
}

static void may_take(struct avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)value;
    ready = *(int *)param;
}

static void from_network(void)
{
    unsigned char bytes[LONGEST];
    ssize_t size = recv(network, bytes, sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = waiting = given = 0; i < size; i++) {
        int special = bytes[i] == END || bytes[i] == ESCAPE;
        if (special)
            pending[waiting++] = ESCAPE;
        pending[waiting++] = !special ? bytes[i] : bytes[i] == END ? ESCAPED_END : ESCAPED_ESCAPE;
    }
    if (size > 0)
        pending[waiting++] = END;
}

static avr_cycle_count_t look(struct avr_t *avr, avr_cycle_count_t when, void *param)
{
    (void)avr, (void)param;
    if (given == waiting)
        from_network();
    while (ready && given < waiting)
        avr_raise_irq(input, pending[given++]);
    return when + LOOK_EVERY;
}

static void join(const char *port)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    network = socket(AF_INET, SOCK_DGRAM, 0);
    if (connect(network, (struct sockaddr *)&server, sizeof server) < 0) {
        perror("connect");
        exit(1);
    }
}

int main(int count, char **words)
{
    static int yes = 1, no = 0;
    elf_firmware_t firmware = {0};
    uint32_t flags = 0;
    avr_t *avr = avr_make_mcu_by_name("atmega328p");
    if (count < 2 || elf_read_firmware(words[1], &firmware) != 0)
        return 1;
    if (count > 2)
        join(words[2]);
    avr_init(avr);
    avr_load_firmware(avr, &firmware);
    avr->frequency = 16000000;
    avr->log = LOG_ERROR;
    avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
    flags &= ~(uint32_t)AVR_UART_FLAG_STDIO;
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), from_firmware, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), may_take, &yes);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), may_take, &no);
    if (network >= 0)
        avr_cycle_timer_register(avr, LOOK_EVERY, look, NULL);
    for (int state = cpu_Running; state != cpu_Done && state != cpu_Crashed;)
        state = avr_run(avr);
    return fflush(stdout);
}
