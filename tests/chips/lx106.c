/*
 * What a program needs on QEMU's machine "sim" with an lx106, the processor of the ESP8266: a beginning, an end, and a way
 * to print. The last two are the simulator's calls, which the instruction SIMCALL makes.
 */
#include <stdio.h>
#include <string.h>

enum { EXIT = 1, WRITE = 4 };

int main(void);

__asm__(".section .start, \"ax\"\n"
        ".align 4\n"
        ".global _start\n"
        "_start: j past\n"
        ".align 4\n"
        "stack: .word 0x3fffc000\n"
        "entry: .word begin\n"
        "past: l32r a1, stack\n"
        "l32r a0, entry\n"
        "jx a0\n");

static int call(int what, int first, const void *second, size_t third)
{
    register int a2 __asm__("a2") = what;
    register int a3 __asm__("a3") = first;
    register const void *a4 __asm__("a4") = second;
    register size_t a5 __asm__("a5") = third;
    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return a2;
}

int puts(const char *text)
{
    call(WRITE, 1, text, strlen(text));
    return call(WRITE, 1, "\n", 1);
}

/* Debian's libgcc for this processor is empty, which has no division of its own. */
unsigned __udivsi3(unsigned dividend, unsigned divisor)
{
    unsigned quotient = 0, rest = 0;
    for (int bit = 31; bit >= 0; bit--) {
        rest = rest << 1 | (dividend >> bit & 1);
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
    }
    return quotient;
}

unsigned __umodsi3(unsigned dividend, unsigned divisor)
{
    return dividend - __udivsi3(dividend, divisor) * divisor;
}

__attribute__((noreturn, used)) void begin(void)
{
    for (int status = main();;)
        call(EXIT, status, NULL, 0);
}
