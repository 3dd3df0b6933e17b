/*
 * The core's inner parts for AVR, where a compiler's code for them is much larger: how bytes, time, MessagePack and records
 * are handled. iotcenter.c says the same in C for all other chips, and how each is called. Written for size; nothing in it
 * branches, or reads flash in a time, that depends on a secret.
 *
 * By gcc's rules r18 to r27, r30 and r31 are free to use, r1 is zero, and a call may change r0. Y points to the frame of
 * a function, which __prologue_saves__ of libgcc makes, of r27:r26 bytes, and from where it goes on to Z. All is one
 * section, so that all calls within it are short.
 */
#ifdef __AVR__

    .set MAP, 0x80
    .set ARRAY, 0x90
    .set TEXT, 0xA0
    .set NIL, 0xC0
    .set INTEGER, 0xCC

    .set SHORT, 0x80
    .set NO_KEY, 0x7F

    .set BLOCK, 16
    .set HEADER_SIZE, 9

.macro function name
    .global \name
    .type \name, @function
\name:
.endm

    .section .text.iotcenter_avr,"ax",@progbits

#include "assembly/bytes.inc"
#include "assembly/writing.inc"
#include "assembly/reading.inc"
#include "assembly/clock.inc"
#include "assembly/window.inc"
#include "assembly/sha256.inc"
#include "assembly/hmac.inc"
#include "assembly/aes.inc"
#include "assembly/records.inc"

#endif
