/*
 * HMAC-SHA-256, AES-128 and what records are sealed with, for AVR, where a compiler's code for them is much larger.
 * iotcenter.c says the same in C for all other chips. Written for size; nothing in it branches, or reads flash in a time,
 * that depends on a secret.
 *
 * By gcc's rules r18 to r27, r30 and r31 are free to use, r1 is zero, and a call may change r0. Y points to the frame of
 * a function, which __prologue_saves__ of libgcc makes, of r27:r26 bytes, and from where it goes on to Z.
 */
#ifdef __AVR__

    .set SHORT, 0x80
    .set NO_KEY, 0x7F
    .set ENCRYPT, 5
    .set DECRYPT, 13
    .set BLOCK, 16
    .set MAP, 0x80
    .set ARRAY, 0x90
    .set TEXT, 0xA0
    .set NIL, 0xC0
    .set INTEGER, 0xCC
    .set HEADER_SIZE, 9
    .set HEAD_SIZE, HEADER_SIZE + BLOCK

    .set HMAC_FRAME, 160
    .set EXPAND_FRAME, 11
    .set AES_FRAME, 2 * BLOCK
    .set RECORD_FRAME, HEAD_SIZE + 2 * BLOCK

    .section .text.iotcenter_avr,"ax",@progbits

/* ---- void iotcenter_put32(uint8_t *out, uint32_t number) ---- */
    .global iotcenter_put32
    .type iotcenter_put32, @function
iotcenter_put32:
    movw r30, r24
    st Z, r23
    std Z+1, r22
    std Z+2, r21
    std Z+3, r20
    ret
    .size iotcenter_put32, . - iotcenter_put32

/* ---- void iotcenter_copy_from_flash(void *out, const void *from, uint8_t size) ---- */
    .global iotcenter_copy_from_flash
    .type iotcenter_copy_from_flash, @function
iotcenter_copy_from_flash:
    movw r26, r24
    movw r30, r22
copy_from_flash: /* X = r20 bytes at Z */
    lpm r0, Z+
    st X+, r0
    dec r20
    brne copy_from_flash
    ret
    .size iotcenter_copy_from_flash, . - iotcenter_copy_from_flash

/* ---- uint32_t iotcenter_get32(const uint8_t *in) ---- */
    .global iotcenter_get32
    .type iotcenter_get32, @function
iotcenter_get32:
    movw r30, r24
    ld r25, Z
    ldd r24, Z+1
    ldd r23, Z+2
    ldd r22, Z+3
    ret
    .size iotcenter_get32, . - iotcenter_get32

/*
 * ---- Writing into a message ----
 *
 * Z points to the device: at 0 is its message, at 2 how long that may be, at 4 how much is filled. r19:r18 is the data,
 * r21:r20 how much of it.
 */
    .global iotcenter_write_byte
    .type iotcenter_write_byte, @function
    .global iotcenter_write_bytes
    .type iotcenter_write_bytes, @function
    .global iotcenter_write_32
    .type iotcenter_write_32, @function
    .global iotcenter_write_text
    .type iotcenter_write_text, @function
    .global iotcenter_write_string
    .type iotcenter_write_string, @function
    .global iotcenter_write_flash
    .type iotcenter_write_flash, @function

/* void iotcenter_write_32(struct iotcenter *device, uint8_t type, uint32_t bits) */
iotcenter_write_32:
    rcall iotcenter_write_byte
    mov r22, r21
    rcall write
    mov r22, r20
    rcall write
    mov r22, r19
    rcall write
    mov r22, r18
    rjmp write

/* void iotcenter_write_byte(struct iotcenter *device, uint8_t byte) */
iotcenter_write_byte:
    movw r30, r24
write: /* Writes r22. */
    ldd r26, Z+4
    ldd r27, Z+5
    ldd r23, Z+2
    cp r26, r23
    ldd r23, Z+3
    cpc r27, r23
    brcc too_long
    ld r23, Z
    add r26, r23
    ldd r23, Z+1
    adc r27, r23
    st X, r22
    ldd r26, Z+4
    ldd r27, Z+5
1:  adiw r26, 1
    std Z+4, r26
    std Z+5, r27
2:  ret
too_long:
    ldd r26, Z+2
    ldd r27, Z+3
    rjmp 1b

/* void iotcenter_write_flash(struct iotcenter *device, const char *text) */
iotcenter_write_flash:
    movw r18, r22
1:  movw r30, r18
    lpm r22, Z+
    movw r18, r30
    tst r22
    breq 2b
    rcall iotcenter_write_byte
    rjmp 1b

/* void iotcenter_write_string(struct iotcenter *device, const char *text) */
iotcenter_write_string:
    movw r26, r22
1:  ld r0, X+
    tst r0
    brne 1b
    sbiw r26, 1
    movw r20, r26
    sub r20, r22
    sbc r21, r23

/* void iotcenter_write_text(struct iotcenter *device, const char *text, uint16_t size) */
iotcenter_write_text:
    movw r30, r24
    movw r18, r22
    tst r21
    brne too_long
    mov r22, r20
    cpi r20, 32
    brcs 1f
    ldi r22, 0xD9
    rcall write
    mov r22, r20
    rjmp 2f
1:  ori r22, 0xA0
2:  rcall write
    movw r22, r18

/* void iotcenter_write_bytes(struct iotcenter *device, const uint8_t *data, uint16_t size) */
iotcenter_write_bytes:
    movw r18, r22
1:  subi r20, 1
    sbci r21, 0
    brcs 2f
    movw r26, r18
    ld r22, X+
    movw r18, r26
    rcall iotcenter_write_byte
    rjmp 1b
2:  ret
    .size iotcenter_write_32, . - iotcenter_write_32

/*
 * ---- Reading MessagePack ----
 *
 * r25:r24 points to the reader: at 0 is where it stands, at 2 where it ends, at 4 the data of what was read, at 6 its
 * size, at 8 its type.
 */
    .global iotcenter_next_is
    .type iotcenter_next_is, @function
    .global iotcenter_next_integer
    .type iotcenter_next_integer, @function
    .global iotcenter_integer
    .type iotcenter_integer, @function
    .global iotcenter_reads_as
    .type iotcenter_reads_as, @function
    .global iotcenter_find
    .type iotcenter_find, @function

/* Reads the next element: r22 is its type, r19:r18 its size. Keeps r0, r25:r24. The carry says that it is cut short, or
 * not one that is read. r21:r20 is what is left, X what lies behind the first byte. */
cut_short:
    sec
    ret
next:
    movw r30, r24
    ld r26, Z
    ldd r27, Z+1
    ldd r20, Z+2
    ldd r21, Z+3
    sub r20, r26
    sbc r21, r27
    breq cut_short
    ld r22, X
    ldi r18, 1
    clr r19
    cpi r22, 0xE0
    brsh 1f
    sbrc r22, 7
    rjmp 2f
1:  ldi r22, 0xD0 /* a number that is its own type */
    rjmp 6f
2:  adiw r26, 1
    subi r20, 1
    sbc r21, r1
    mov r18, r22
    cpi r22, TEXT
    brsh 3f
    andi r18, 0x0F
    andi r22, 0xF0
    rjmp 6f
3:  cpi r22, NIL
    brsh 4f
    andi r18, 0x1F
    ldi r22, TEXT
    rjmp 6f
4:  ldi r30, lo8(iotcenter_widths - NIL)
    ldi r31, hi8(iotcenter_widths - NIL)
    add r30, r22
    adc r31, r1
    lpm r18, Z
    movw r30, r24
    sbrc r18, 7
    rjmp cut_short
    cp r20, r18
    cpc r21, r1
    brcs 8f
    cpi r22, 0xD9
    brcs 6f
    sub r20, r18
    sbc r21, r1
    mov r23, r18
    clr r18
5:  mov r19, r18
    ld r18, X+
    dec r23
    brne 5b
    cpi r22, 0xDC
    ldi r22, TEXT
    brcs 6f
    ldi r22, ARRAY
    breq 6f
    ldi r22, MAP
6:  std Z+4, r26
    std Z+5, r27
    std Z+6, r18
    std Z+7, r19
    std Z+8, r22
    cpi r22, TEXT
    brcs 7f
    cp r20, r18
    cpc r21, r19
    brcs 8f
    add r26, r18
    adc r27, r19
7:  st Z, r26
    std Z+1, r27
    clc
8:  ret

/* bool iotcenter_next_is(struct reader *reader, uint8_t type) */
iotcenter_next_is:
    mov r0, r22
    rcall next
    brcs no
    cp r22, r0
    breq yes
no: clr r24
    ret

/* bool iotcenter_reads_as(const struct reader *reader, const char *text) */
iotcenter_reads_as:
    rcall match
    brne no
yes:
    ldi r24, 1
    ret

/* bool iotcenter_next_integer(struct reader *reader) */
iotcenter_next_integer:
    rcall next
    brcs no
    cpi r22, INTEGER
    brcs no
    rjmp yes

/* Whether what was read is the text at r23:r22: zero then. */
match:
    movw r30, r24
    ldd r18, Z+8
    cpi r18, TEXT
    brne 2f
    ldd r18, Z+6
    ldd r19, Z+7
    ldd r26, Z+4
    ldd r27, Z+5
    movw r30, r22
1:  ld r0, Z+
    subi r18, 1
    sbci r19, 0
    brcs 3f
    ld r20, X+
    cp r20, r0
    brne 2f
    tst r0
    brne 1b
    inc r0 /* it is shorter */
2:  ret
3:  tst r0
    ret

/* uint32_t iotcenter_integer(const struct reader *reader) */
iotcenter_integer:
    movw r30, r24
    ldd r26, Z+4
    ldd r27, Z+5
    ldd r18, Z+6
    ldd r19, Z+8
    ld r0, X
    cpi r19, 0xD0
    brsh 1f
    clr r0
1:  lsl r0 /* its sign */
    sbc r22, r22
    mov r23, r22
    movw r24, r22
2:  mov r25, r24
    mov r24, r23
    mov r23, r22
    ld r22, X+
    dec r18
    brne 2b
    ret

/* bool iotcenter_find(const struct iotcenter_command *command, const char *name, struct reader *reader)
 *
 * r17:r16 is the name, r15:r14 how many pairs are left, Y how many elements are to be passed over. */
iotcenter_find:
    push r14
    push r15
    push r16
    push r17
    push r28
    push r29
    movw r16, r22
    movw r30, r24
    movw r26, r20
    ldi r24, 9
    rcall copy
    movw r24, r20
    rcall next
    brcs 6f
    subi r22, MAP
    cp r1, r22
    brcs 6f
    movw r14, r18
1:  ldi r18, 1
    sub r14, r18
    sbc r15, r1
    brcs 6f
    rcall next
    brcs 6f
    movw r22, r16
    rcall match
    breq 5f
    ldi r28, 1
    ldi r29, 0
2:  rcall next
    brcs 6f
    cpi r22, TEXT
    brsh 4f
    cpi r22, MAP
    brne 3f
    add r28, r18
    adc r29, r19
    brcs 6f
3:  add r28, r18
    adc r29, r19
    brcs 6f
4:  sbiw r28, 1
    brne 2b
    rjmp 1b
5:  rcall next
6:  ldi r24, 1
    sbc r24, r1
    pop r29
    pop r28
    pop r17
    pop r16
    pop r15
    pop r14
    ret
    .size iotcenter_find, . - next

/*
 * ---- void iotcenter_pass(struct iotcenter_clock *clock, uint32_t now) ----
 *
 * r23:r20 is what is left of `now`, r27:r24 what the clock said, r0:r19:r18 counts the quarters: 18 ms for those of an
 * hour.
 */
    .global iotcenter_pass
    .type iotcenter_pass, @function
iotcenter_pass:
    movw r30, r24
    ld r24, Z
    ldd r25, Z+1
    ldd r26, Z+2
    ldd r27, Z+3
    sub r20, r24
    sbc r21, r25
    sbc r22, r26
    sbc r23, r27
    clr r18
    clr r19
    clr r0
1:  subi r20, 250
    sbc r21, r1
    sbc r22, r1
    sbc r23, r1
    brcs 2f
    subi r24, lo8(-250)
    sbci r25, hi8(-250)
    sbci r26, hlo8(-250)
    sbci r27, hhi8(-250)
    sec
    adc r18, r1
    adc r19, r1
    adc r0, r1
    sbrs r0, 7
    rjmp 1b
2:  st Z+, r24
    st Z+, r25
    st Z+, r26
    st Z+, r27
    ld r24, Z
    add r24, r18
    st Z+, r24
    ld r24, Z
    adc r24, r19
    st Z+, r24
    ld r24, Z
    adc r24, r0
    st Z+, r24
    ld r24, Z
    adc r24, r1
    st Z+, r24
    tst r0
    breq 3f
    ser r18 /* more than a timer has */
    ser r19
3:  ldi r20, 5
3:  ld r24, Z
    ldd r25, Z+1
    sub r24, r18
    sbc r25, r19
    brcc 4f
    clr r24
    clr r25
4:  st Z+, r24
    st Z+, r25
    dec r20
    brne 3b
    ret
    .size iotcenter_pass, . - iotcenter_pass

/*
 * ---- bool iotcenter_newer(struct iotcenter_seen *seen, uint32_t number, bool mark) ----
 *
 * r27:r24 is how far the number is behind the highest.
 */
    .global iotcenter_newer
    .type iotcenter_newer, @function
iotcenter_newer:
    movw r30, r24
    ld r24, Z
    ldd r25, Z+1
    ldd r26, Z+2
    ldd r27, Z+3
    sub r24, r20
    sbc r25, r21
    sbc r26, r22
    sbc r27, r23
    adiw r26, 1
    breq 3f
    sbiw r26, 1
    cpc r25, r1
    brne 5f
    cpi r24, 32
    brsh 5f
    mov r25, r24 /* the bit of it: which byte, and where in that */
    lsr r25
    lsr r25
    lsr r25
    add r30, r25
    adc r31, r1
    ldi r25, 1
    andi r24, 7
    rjmp 2f
1:  lsl r25
2:  dec r24
    brpl 1b
    ldd r24, Z+4
    mov r19, r24
    and r19, r25
    brne 5f
    tst r18
    breq 6f
    or r24, r25
    std Z+4, r24
    rjmp 6f
3:  tst r18
    breq 6f
    st Z+, r20
    st Z+, r21
    st Z+, r22
    st Z+, r23
    ld r20, Z
    ldd r21, Z+1
    ldd r22, Z+2
    ldd r23, Z+3
4:  lsl r20
    rol r21
    rol r22
    rol r23
    adiw r24, 1
    brne 4b
    ori r20, 1
    st Z, r20
    std Z+1, r21
    std Z+2, r22
    std Z+3, r23
    rjmp 6f
5:  clr r24
    ret
6:  ldi r24, 1
    ret
    .size iotcenter_newer, . - iotcenter_newer

/*
 * ---- SHA-256: one block ----
 *
 * Y points to the hash: at 0 the eight working variables, at 32 the state, at 64 the words, all of them big-endian. Z walks
 * over the constants. r17 is the round; r7:r4 (sum) is what gathers, r25:r22 (word) what was loaded, and r21:r18 (turned)
 * what was made of that. Keeps all from r2 to r16.
 */

/* word = w[(round + r26) % 16] */
load_word:
    add r26, r17
    andi r26, 15
    lsl r26
    lsl r26
    subi r26, -64
/* word = the four bytes at Y + r26; X points behind them */
load:
    clr r27
    add r26, r28
    adc r27, r29
    ld r25, X+
    ld r24, X+
    ld r23, X+
    ld r22, X+
    ret

/* turned = word, rotated right by r26, xor word, rotated by r27 */
turn_twice:
    movw r18, r22
    movw r20, r24
    rcall turn
    mov r26, r27
/* turned = turned xor word, rotated by r26 */
turn_again:
    eor r18, r22
    eor r19, r23
    eor r20, r24
    eor r21, r25
turn: /* byte by byte, as near as that comes; then bit by bit, forth or back */
    subi r26, -4
1:  subi r26, 8
    brcs 2f
    mov r0, r18
    mov r18, r19
    mov r19, r20
    mov r20, r21
    mov r21, r0
    rjmp 1b
2:  subi r26, -4
    breq 5f
    brpl 4f
3:  lsl r18
    rol r19
    rol r20
    rol r21
    adc r18, r1
    inc r26
    brne 3b
    ret
4:  bst r18, 0
    lsr r21
    ror r20
    ror r19
    ror r18
    bld r21, 7
    dec r26
    brne 4b
5:  ret

/* sum += where a bit of word is set that of the variable at Y + 20, else that of the one behind it */
add_chosen:
    ldd r21, Y+20
    ldd r0, Y+24
    eor r21, r0
    and r21, r25
    eor r21, r0
    ldd r20, Y+21
    ldd r0, Y+25
    eor r20, r0
    and r20, r24
    eor r20, r0
    ldd r19, Y+22
    ldd r0, Y+26
    eor r19, r0
    and r19, r23
    eor r19, r0
    ldd r18, Y+23
    ldd r0, Y+27
    eor r18, r0
    and r18, r22
    eor r18, r0
    rjmp add_turned
add_word:
    movw r18, r22
    movw r20, r24
add_turned:
    add r4, r18
    adc r5, r19
    adc r6, r20
    adc r7, r21
    ret

sha256_block:
    push r4
    push r5
    push r6
    push r7
    movw r30, r28
    ldi r18, 32
1:  ldd r0, Z+32
    st Z+, r0
    dec r18
    brne 1b
    ldi r30, lo8(iotcenter_sha256_rounds)
    ldi r31, hi8(iotcenter_sha256_rounds)
    clr r17

2:  ldi r26, 0
    rcall load_word
    movw r4, r22
    movw r6, r24
    cpi r17, 16
    brcs 3f
    ldi r26, 1 /* the word of rotations by 7 and 18, and a shift by 3: */
    rcall load_word
    ldi r26, 11
    ldi r27, 4
    rcall turn_twice
    andi r22, 0xF8 /* a shift is a rotation of what does not fall out */
    ldi r26, 3
    rcall turn_again
    rcall add_turned
    ldi r26, 9
    rcall load_word
    rcall add_word
    ldi r26, 14 /* and that of rotations by 17 and 19, and a shift by 10 */
    rcall load_word
    ldi r26, 2
    ldi r27, 7
    rcall turn_twice
    clr r22
    andi r23, 0xFC
    ldi r26, 10
    rcall turn_again
    rcall add_turned
    ldi r26, 0
    rcall load_word
    st -X, r4
    st -X, r5
    st -X, r6
    st -X, r7

3:  lpm r18, Z+
    lpm r19, Z+
    lpm r20, Z+
    lpm r21, Z+
    rcall add_turned
    ldd r25, Y+28
    ldd r24, Y+29
    ldd r23, Y+30
    ldd r22, Y+31
    rcall add_word
    ldd r25, Y+16
    ldd r24, Y+17
    ldd r23, Y+18
    ldd r22, Y+19
    ldi r26, 14 /* rotations by 6, 11 and 25 */
    ldi r27, 5
    rcall turn_twice
    ldi r26, 6
    rcall turn_again
    rcall add_turned
    rcall add_chosen
    ldi r26, 12
    rcall load
    add r22, r4
    adc r23, r5
    adc r24, r6
    adc r25, r7
    st -X, r22
    st -X, r23
    st -X, r24
    st -X, r25
    adiw r28, 28 /* each variable moves up by one; Y comes back */
    ldi r26, 7
4:  ld r0, -Y
    std Y+4, r0
    ld r0, -Y
    std Y+4, r0
    ld r0, -Y
    std Y+4, r0
    ld r0, -Y
    std Y+4, r0
    dec r26
    brne 4b
    ldd r25, Y+4
    ldd r24, Y+5
    ldd r23, Y+6
    ldd r22, Y+7
    ldi r26, 9 /* rotations by 2, 13 and 22 */
    ldi r27, 11
    rcall turn_twice
    ldi r26, 2
    rcall turn_again
    rcall add_turned
    ldd r0, Y+15 /* the majority of three: where the first and the last differ, the one between them */
    eor r22, r0
    ldd r0, Y+14
    eor r23, r0
    ldd r0, Y+13
    eor r24, r0
    ldd r0, Y+12
    eor r25, r0
    sbiw r28, 12
    rcall add_chosen
    adiw r28, 12
    st Y, r7
    std Y+1, r6
    std Y+2, r5
    std Y+3, r4
    inc r17
    sbrs r17, 6 /* 64 rounds */
    rjmp 2b

    movw r30, r28
    adiw r30, 32
    ldi r18, 8
5:  ldi r19, 4
    clc
6:  ld r20, -Z
    ldd r0, Z+32
    adc r0, r20
    std Z+32, r0
    dec r19
    brne 6b
    dec r18
    brne 5b
    pop r7
    pop r6
    pop r5
    pop r4
    ret

/*
 * ---- void iotcenter_hmac(const uint8_t *key, uint8_t key_size, const uint8_t *data, uint8_t size, uint8_t *out) ----
 *
 * hmac_of_two takes a second piece as well, at r13:r12, of r15:r14 bytes.
 *
 * Y points to the hash on the stack, and to 32 bytes behind it for the inner digest. r3:r2 is the key, r4 its size, r5 the
 * pad of the pass; r7:r6 is what is added, r9:r8 how much of it, r11:r10 how much was. `out` is where r17:r16 were saved.
 */
    .global iotcenter_hmac
    .type iotcenter_hmac, @function

add_bytes:
1:  movw r26, r8
    or r26, r27
    breq 2f
    movw r26, r6
    ld r24, X+
    movw r6, r26
    rcall add_byte
    sec
    sbc r8, r1
    sbc r9, r1
    rjmp 1b
2:  ret

/* Adds zeros up to the place r24 of a block. */
add_zeros:
    mov r14, r24
3:  mov r24, r10
    andi r24, 63
    cp r24, r14
    breq 2b
    clr r24
    rcall add_byte
    rjmp 3b

/* Adds r24. */
add_byte:
    mov r26, r10
    andi r26, 63
    subi r26, -64
    clr r27
    add r26, r28
    adc r27, r29
    st X, r24
    sec
    adc r10, r1
    adc r11, r1
    mov r24, r10
    andi r24, 63
    brne 2b
    rjmp sha256_block

/* X = the state */
copy_state:
    movw r30, r28
    adiw r30, 32
    ldi r24, 32
/* X = r24 bytes at Z; both point behind them. */
copy:
    ld r0, Z+
    st X+, r0
    dec r24
    brne copy
    ret

iotcenter_hmac:
    clt
    rjmp 1f
hmac_of_two:
    set
1:  ldi r26, lo8(HMAC_FRAME)
    ldi r27, hi8(HMAC_FRAME)
    ldi r30, pm_lo8(1f)
    ldi r31, pm_hi8(1f)
    jmp __prologue_saves__
1:  adiw r28, 1
    movw r2, r24
    mov r4, r22
    movw r6, r20
    mov r8, r18
    clr r9
    brts 2f
    clr r14
    clr r15
2:  ldi r24, 0x36
    mov r5, r24

2:  ldi r30, lo8(iotcenter_sha256_start)
    ldi r31, hi8(iotcenter_sha256_start)
    movw r26, r28
    adiw r26, 32
    ldi r20, 32
    rcall copy_from_flash
    clr r10
    clr r11
    mov r16, r4
    andi r16, NO_KEY
    cpi r16, NO_KEY
    breq 6f
4:  clr r24
    cp r10, r16
    brsh 5f
    movw r26, r2
    add r26, r10
    adc r27, r1
    ld r24, X
5:  eor r24, r5
    rcall add_byte
    sbrs r10, 6
    rjmp 4b

6:  rcall add_bytes
    movw r6, r12
    movw r8, r14
    rcall add_bytes
    movw r8, r10 /* its length in bits ends the message */
    ldi r24, 3
7:  lsl r8
    rol r9
    dec r24
    brne 7b
    ldi r24, 0x80
    rcall add_byte
    ldi r24, 56
    rcall add_zeros
    ldi r24, 62
    rcall add_zeros
    mov r24, r9
    rcall add_byte
    mov r24, r8
    rcall add_byte

    mov r24, r5
    cpi r24, 0x5C
    breq 7f
    cpi r16, NO_KEY
    breq 7f
    ldi r24, 0x5C
    mov r5, r24
    movw r26, r28
    subi r26, -128
    sbci r27, -1
    movw r6, r26
    ldi r24, 32
    mov r8, r24
    clr r9
    clr r14
    clr r15
    rcall copy_state
    rjmp 2b
7:  ldi r24, 32
    sbrc r4, 7
    ldi r24, 16
    movw r30, r28
    adiw r30, 32
    subi r28, lo8(1 - HMAC_FRAME)
    sbci r29, hi8(1 - HMAC_FRAME)
    ldd r27, Y+3
    ldd r26, Y+4
    rcall copy
    ldi r30, 18 /* registers to restore */
    jmp __epilogue_restores__
    .size iotcenter_hmac, . - add_bytes

/*
 * ---- void iotcenter_expand(const uint8_t *key, const char *label, uint8_t *out, uint8_t size) ----
 *
 * Y points to the label with its counter, as do r13:r12 for hmac_of_two, and r7:r6 point to the counter. r11:r10 is the
 * key, r17:r16 where the next piece goes, r9 how much is left.
 */
    .global iotcenter_expand
    .type iotcenter_expand, @function

iotcenter_expand:
    ldi r26, EXPAND_FRAME
    ldi r27, 0
    ldi r30, pm_lo8(1f)
    ldi r31, pm_hi8(1f)
    jmp __prologue_saves__ + 8
1:  adiw r28, 1
    movw r10, r24
    mov r9, r18
    movw r16, r20
    movw r30, r22
    movw r26, r28
    movw r12, r28
2:  lpm r0, Z+
    st X+, r0
    tst r0
    brne 2b
    mov r14, r26
    sub r14, r28
    clr r15
    sbiw r26, 1
    movw r6, r26
    clr r18
3:  movw r26, r6
    ld r24, X
    inc r24
    st X, r24
    movw r24, r10
    ldi r22, 32
    sbrs r9, 5
    ldi r22, SHORT | 32
    rcall hmac_of_two
    movw r20, r16
    ldi r18, 32
    add r16, r18
    adc r17, r1
    sub r9, r18
    breq 4f
    brcc 3b
4:  adiw r28, EXPAND_FRAME - 1
    ldi r30, 14
    jmp __epilogue_restores__ + 8
    .size iotcenter_expand, . - iotcenter_expand

/*
 * ---- AES-128: one block ----
 *
 * aes takes the key in r25:r24, the block in r23:r22, and the step in r20. Y points to the round key, and to 16 bytes behind
 * it for a copy of the block. X points to the block. r16 is the constant of the round; r17 the step from a byte to the one
 * that the shifted rows put behind it.
 */

/* r24 = its substitute */
substitute:
    sbrs r17, 3
    rjmp box
    rcall untwist /* the inverse of the box, made of the box itself */
    rcall box
untwist: /* r24 = r24 rotated left by 1, xor by 3, xor by 6, xor 5 */
    ldi r25, 5
    mov r0, r25
    ldi r25, 0x25 /* which of six rotations count */
1:  lsl r24
    adc r24, r1
    lsr r25
    brcc 2f
    eor r0, r24
2:  tst r25
    brne 1b
    mov r24, r0
    ret
box:
    ldi r30, lo8(iotcenter_aes_box)
    ldi r31, hi8(iotcenter_aes_box)
    add r30, r24
    adc r31, r1
    lpm r24, Z
    ret

/* r24 = twice that, in AES' field */
twice:
    lsl r24
    sbc r25, r25
    andi r25, 0x1B
    eor r24, r25
    ret

add_key:
    movw r30, r28
/* The block at X = that, xor the block at Z */
add_block:
    ldi r18, BLOCK
1:  ld r0, X
    ld r19, Z+
    eor r0, r19
    st X+, r0
    dec r18
    brne 1b
    sbiw r26, BLOCK
    ret

/* Substitutes all bytes, and shifts the rows. */
substitute_all:
    ldi r18, 16
1:  ld r0, X+
    std Y+16, r0
    adiw r28, 1
    dec r18
    brne 1b
    sbiw r26, 16
    sbiw r28, 16
    ldi r18, 16
    ldi r19, 0
2:  movw r30, r28
    add r30, r19
    adc r31, r1
    ldd r24, Z+16
    rcall substitute
    st X+, r24
    add r19, r17
    andi r19, 15
    dec r18
    brne 2b
    sbiw r26, 16
    ret

/* Mixes the columns, or undoes it. */
mix:
    ldi r30, 4
1:  ld r18, X+
    ld r19, X+
    ld r20, X+
    ld r21, X+
    sbiw r26, 4
    sbrs r17, 3
    rjmp 2f
    mov r24, r18 /* what undoes it is mixing too, once four times every other byte was added */
    eor r24, r20
    rcall twice
    rcall twice
    eor r18, r24
    eor r20, r24
    mov r24, r19
    eor r24, r21
    rcall twice
    rcall twice
    eor r19, r24
    eor r21, r24
2:  mov r22, r18
    eor r22, r19
    eor r22, r20
    eor r22, r21
    ldi r31, 4
3:  mov r24, r18
    eor r24, r19
    rcall twice
    eor r24, r18
    eor r24, r22
    st X+, r24
    mov r0, r18
    mov r18, r19
    mov r19, r20
    mov r20, r21
    mov r21, r0
    dec r31
    brne 3b
    dec r30
    brne 1b
    sbiw r26, 16
    ret

previous_key:
    adiw r28, 12
    ldi r18, 12
1:  ld r0, -Y
    ldd r19, Y+4
    eor r19, r0
    std Y+4, r19
    dec r18
    brne 1b
first_column:
    ld r0, Y
    eor r0, r16
    st Y, r0
    ldd r0, Y+12
    std Y+16, r0
    ldi r18, 4
1:  ldd r24, Y+13
    rcall box
    ld r0, Y
    eor r0, r24
    st Y+, r0
    dec r18
    brne 1b
    sbiw r28, 4
    ret

next_key:
    rcall first_column
    ldi r18, 12
1:  ld r0, Y+
    ldd r19, Y+3
    eor r19, r0
    std Y+3, r19
    dec r18
    brne 1b
    sbiw r28, 12
    mov r24, r16
    rcall twice
    mov r16, r24
    cpi r16, 0x6C /* whether this was the tenth */
    ret

aes:
    ldi r26, AES_FRAME
    ldi r27, 0
    ldi r30, pm_lo8(1f)
    ldi r31, pm_hi8(1f)
    jmp __prologue_saves__ + 28
1:  adiw r28, 1
    movw r26, r28
    movw r30, r24
    ldi r24, BLOCK
    rcall copy
    movw r26, r22
    mov r17, r20
    ldi r16, 1
    sbrc r17, 3
    rjmp 3f

1:  rcall add_key
    rcall substitute_all
    cpi r16, 0x36
    breq 2f
    rcall mix
2:  rcall next_key
    brne 1b
    rjmp 6f

3:  rcall next_key
    brne 3b
4:  rcall add_key
    cpi r16, 0x6C
    breq 5f
    rcall mix
5:  rcall substitute_all
    ldi r24, 0x8D
    lsr r16
    brcc .+2
    eor r16, r24
    rcall previous_key
    cpi r16, 1
    brne 4b

6:  rcall add_key
    adiw r28, AES_FRAME - 1
    ldi r30, 4
    jmp __epilogue_restores__ + 28

/*
 * ---- uint16_t iotcenter_seal(const struct iotcenter_keys *keys, uint8_t *record, uint16_t size)
 *      uint16_t iotcenter_open(the same) ----
 *
 * Y points to what is authenticated before the ciphertext, the header and the IV; behind it to a tag, and to that which
 * was sent. r7:r6 are the keys, r9 is the step of AES; as hmac_of_two has it, r13:r12 is the text, and r15:r14 its size.
 */
    .global iotcenter_seal
    .type iotcenter_seal, @function
    .global iotcenter_open
    .type iotcenter_open, @function

/* X points behind the text. */
end_of_text:
    movw r26, r12
    add r26, r14
    adc r27, r15
    ret

/* X = seven zeros; it points behind them. */
zeros:
    ldi r24, 7
1:  st X+, r1
    dec r24
    brne 1b
    ret

/* The first block of the text = that, xor the IV */
add_iv:
    movw r26, r12
    movw r30, r28
    adiw r30, HEADER_SIZE
    rjmp add_block

/* The tag at Y = that of the record. Uses up the eight bytes behind the ciphertext. */
make_tag:
    rcall end_of_text
    rcall zeros
    ldi r24, HEADER_SIZE * 8
    st X, r24
    ldi r24, 8
    add r14, r24
    adc r15, r1
    movw r24, r6
    ldi r22, SHORT | 16
    movw r20, r28
    ldi r18, HEAD_SIZE
    movw r16, r28
    subi r16, -HEAD_SIZE
    sbci r17, -1
    rcall hmac_of_two
    ldi r24, 8
    sub r14, r24
    sbc r15, r1
    ret

/* Encrypts all blocks from the first to the last, or decrypts them from the last to the first; in the chain each block is
 * xored with the one before it, the first by add_iv. r5:r4 is where it stands, r3:r2 where it ends. */
chain:
    rcall end_of_text
    movw r4, r12
    movw r2, r26
    sbrs r9, 3
    rjmp 1f
    movw r4, r26
    movw r2, r12
1:  ldi r24, BLOCK
    sbrs r9, 3
    rjmp 2f
    sub r4, r24
    sbc r5, r1
2:  movw r24, r6
    adiw r24, BLOCK
    movw r22, r4
    mov r20, r9
    rcall aes
    ldi r24, BLOCK
    sbrc r9, 3
    rjmp 3f
    add r4, r24
    adc r5, r1
3:  cp r4, r2
    cpc r5, r3
    breq 4f
    movw r26, r4
    movw r30, r4
    sbiw r30, BLOCK
    rcall add_block
    rjmp 1b
4:  ret

iotcenter_open:
    ldi r18, DECRYPT
    rjmp 1f
iotcenter_seal:
    ldi r18, ENCRYPT
1:  ldi r26, RECORD_FRAME
    ldi r27, 0
    ldi r30, pm_lo8(1f)
    ldi r31, pm_hi8(1f)
    jmp __prologue_saves__
1:  adiw r28, 1
    movw r6, r24
    mov r9, r18
    movw r14, r20
    movw r30, r22
    movw r26, r28
    ldi r24, HEADER_SIZE
    rcall copy
    movw r12, r30
    sbiw r30, HEADER_SIZE
    ldi r24, 5
    rcall copy
    rcall zeros
    ldi r24, 4
    rcall copy
    movw r24, r6
    adiw r24, 2 * BLOCK
    movw r22, r28
    subi r22, -HEADER_SIZE
    sbci r23, -1
    ldi r20, ENCRYPT
    rcall aes
    sbrc r9, 3
    rjmp 3f

    rcall end_of_text
    mov r25, r14
    andi r25, BLOCK - 1
    subi r25, BLOCK
    neg r25
    add r14, r25
    adc r15, r1
    mov r24, r25
2:  st X+, r25
    dec r24
    brne 2b
    rcall add_iv
    rcall chain
    rcall make_tag
    rcall end_of_text
    movw r30, r16
    ldi r24, BLOCK
    rcall copy
    movw r24, r14
    adiw r24, HEADER_SIZE + BLOCK
    rjmp 5f

3:  ldi r24, HEADER_SIZE + BLOCK
    sub r14, r24
    sbc r15, r1
    rcall end_of_text
    movw r30, r26
    movw r26, r28
    adiw r26, HEAD_SIZE + BLOCK
    ldi r24, BLOCK
    rcall copy
    rcall make_tag
    movw r24, r16
    movw r22, r16
    subi r22, -BLOCK
    sbci r23, -1
    ldi r20, BLOCK
    rcall iotcenter_differ
    tst r24
    brne 4f
    rcall chain
    rcall add_iv
    rcall end_of_text
    ld r18, -X
    cpi r18, BLOCK + 1
    brsh 4f
    movw r24, r14
    sub r24, r18
    sbc r25, r1
    rjmp 5f
4:  clr r24
    clr r25
5:  adiw r28, RECORD_FRAME - 1
    ldi r30, 18
    jmp __epilogue_restores__
    .size iotcenter_seal, . - end_of_text

/* ---- uint8_t iotcenter_differ(const uint8_t *one, const uint8_t *other, uint8_t size) ---- */
    .global iotcenter_differ
    .type iotcenter_differ, @function
iotcenter_differ:
    movw r26, r24
    movw r30, r22
    clr r24
1:  ld r0, X+
    ld r19, Z+
    eor r0, r19
    or r24, r0
    dec r20
    brne 1b
    ret
    .size iotcenter_differ, . - iotcenter_differ

#endif
