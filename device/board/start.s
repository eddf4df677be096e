@ Vector table, reset, and what C++ cannot say: fault entry, semihosting, SysTick. ARMv6-M instructions only.
    .syntax unified
    .thumb

    .macro function name
    .section .text.\name, "ax", %progbits
    .balign 4
    .global \name
    .thumb_func
    .type \name, %function
\name:
    .endm

    .section .vectors, "a", %progbits
    .global board_vectors
board_vectors:
    .word board_stack_top
    .word board_reset
    .rept 13
    .word board_fault
    .endr
    .word board_systick

@ Opens the FPU and vector unit first: compiled code may use them anywhere. CPACR is reserved, writes to it ignored, on
@ cores that have neither. Then .data and .bss, both multiples of 8 bytes.
function board_reset
    ldr r0, =0xE000ED88
    ldr r1, =0x00F00000
    ldr r2, [r0]
    orrs r1, r2
    str r1, [r0]
    dsb
    isb
    ldr r0, =board_data_load
    ldr r1, =board_data
    ldr r2, =board_data_end
    b 2f
1:  ldmia r0!, {r3, r4}
    stmia r1!, {r3, r4}
2:  cmp r1, r2
    blo 1b
    ldr r1, =board_bss
    ldr r2, =board_bss_end
    movs r3, #0
    movs r4, #0
    b 4f
3:  stmia r1!, {r3, r4}
4:  cmp r1, r2
    blo 3b
    bl board_main
    .ltorg

@ board_on_fault(exception frame), on a stack of its own: the fault may be that the other one ran over.
function board_fault
    mov r0, sp
    ldr r1, =board_fault_stack_top
    mov sp, r1
    bl board_on_fault
    .ltorg

@ int32_t board_semihost(operation, arguments)
function board_semihost
    bkpt 0xab
    bx lr

@ kInterruptInstructions instructions.
function board_systick
    ldr r0, =board_wraps
    ldr r1, [r0]
    adds r1, #1
    str r1, [r0]
    bx lr
    .ltorg

@ void board_snapshot(Snapshot*): kReads reads, kReadInstructions apart: ldr, stmia, 36 nop, subs, cmp, bne.
function board_snapshot
    cpsid i
    ldr r1, =0xE000E018         @ SysTick's current value
    movs r2, #128
1:  ldr r3, [r1]
    stmia r0!, {r3}
    .rept 36
    nop
    .endr
    subs r2, #1
    cmp r2, #0
    bne 1b
    ldr r1, =board_wraps
    ldr r3, [r1]
    ldr r1, =0xE000ED04         @ ICSR; bit 26 = SysTick pending
    ldr r2, [r1]
    movs r1, #1
    lsls r1, r1, #26
    ands r2, r1
    stmia r0!, {r3}
    stmia r0!, {r2}
    cpsie i
    bx lr
    .ltorg
