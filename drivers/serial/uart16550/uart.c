/* The chip: National Semiconductor PC16550D, by its data sheet (sections in comments); a 16450 works too, a byte at a time.
 *
 * The interrupt is an edge on a PC, so it is served until the chip says that none is pending (8.6), and once more after it was let
 * through again: an edge in between would be lost. The interrupt for an empty transmitter is enabled only while something waits to be sent; the
 * one for received bytes only while the line discipline has room. Without room RTS falls and the bytes stay in the FIFO, which is what
 * the other side's flow control sees. What was typed while no driver ran is still in the FIFO: starting does not clear it. */
#include "console.h"

#include <veridian/syscalls.h>

#define CLOCK_HZ 1843200u
#define BAUD 115200u
#define DIVISOR (CLOCK_HZ / (16 * BAUD)) /* 8.3 */
#define FIFO_BYTES 16u
/** Turns of one service: more is a chip that is never content. */
#define TURNS_MAX 4096u

/* Registers (8.0, table II). The divisor latch takes the place of the first two while LCR_DLAB is set. */
enum uart_register {
    RBR = 0,
    THR = 0,
    DLL = 0,
    IER = 1,
    DLM = 1,
    IIR = 2,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7
};

#define LCR_8N1 0x03u /* 8.1 */
#define LCR_DLAB 0x80u
#define LSR_DATA_READY 0x01u /* 8.4 */
#define LSR_BAD_BYTE 0x1cu   /* parity error, framing error, break: of the byte that is read next */
#define LSR_THR_EMPTY 0x20u
#define LSR_IDLE 0x40u   /* TEMT: the shift register is empty too */
#define FCR_ENABLE 0x01u /* 8.5 */
#define FCR_TRIGGER_8 0x80u
#define IIR_NONE 0x01u /* 8.6 */
#define IIR_ID 0x0eu
#define IIR_MODEM 0x00u
#define IIR_FIFOS 0xc0u
#define IER_RECEIVED 0x01u /* 8.7 */
#define IER_THR_EMPTY 0x02u
#define MCR_DTR 0x01u /* 8.8 */
#define MCR_RTS 0x02u
#define MCR_OUT2 0x08u /* on a PC: the interrupt reaches the controller */

static struct {
    uint32_t base;
    uint32_t fifo_bytes;
    uint8_t interrupts, modem; /* what IER and MCR hold */
} uart;

static uint8_t uart_in(enum uart_register at)
{
    uint32_t value = 0xff;
    status_t status = sys_ioport_in(device.ports[0], uart.base + at, 1, &value);
    return status_is_ok(status) ? (uint8_t)value : 0xff;
}

static void uart_out(enum uart_register at, uint32_t value)
{
    status_ignore(sys_ioport_out(device.ports[0], uart.base + at, 1, value & 0xff));
}

/* 8.10: the scratchpad has no function, so what answers there is a chip. */
static bool is_present(void)
{
    uart_out(SCR, 0xa5);
    return uart_in(SCR) == 0xa5;
}

status_t uart_start(void)
{
    const struct device_window *window = &device.info->windows[0];
    if (device.ports[0] == HANDLE_NONE || window->bytes < 8 || window->base > UINT16_MAX - 7 ||
        device.irqs[0] == HANDLE_NONE)
        return STATUS_NOT_FOUND;
    uart.base = (uint32_t)window->base;
    if (!is_present())
        return STATUS_IO;
    uart_out(LCR, LCR_DLAB);
    uart_out(DLL, DIVISOR & 0xff);
    uart_out(DLM, DIVISOR >> 8);
    uart_out(LCR, LCR_8N1);
    uart_out(FCR, FCR_ENABLE | FCR_TRIGGER_8);
    uart.fifo_bytes = (uart_in(IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_BYTES : 1;
    uart.modem = MCR_DTR | MCR_RTS | MCR_OUT2;
    uart_out(MCR, uart.modem);
    uart.interrupts = IER_RECEIVED;
    uart_out(IER, uart.interrupts);
    return STATUS_OK;
}

/* Take what came, while there is room for it. The state of a byte is read before the byte (8.4). */
static void receive(uint8_t state)
{
    for (uint32_t i = 0;
         i < FIFO_BYTES && (state & LSR_DATA_READY) != 0 && tty_has_room(&client_tty); i++) {
        uint8_t byte = uart_in(RBR);
        if ((state & LSR_BAD_BYTE) == 0)
            client_key(byte);
        state = uart_in(LSR);
    }
}

/* An empty THR means an empty FIFO (8.4, bit 5). */
static void transmit(uint8_t state)
{
    uint8_t byte;
    if ((state & LSR_THR_EMPTY) == 0)
        return;
    for (uint32_t i = 0; i < uart.fifo_bytes && output_take(&byte); i++)
        uart_out(THR, byte);
}

/* Enable the interrupts that are of use now. */
static void update(void)
{
    bool room = tty_has_room(&client_tty);
    uint8_t interrupts =
        (uint8_t)((room ? IER_RECEIVED : 0u) | (output_is_empty() ? 0u : IER_THR_EMPTY));
    uint8_t modem = (uint8_t)(MCR_DTR | MCR_OUT2 | (room ? MCR_RTS : 0u));
    if (modem != uart.modem)
        uart_out(MCR, modem);
    if (interrupts != uart.interrupts)
        uart_out(IER, interrupts);
    uart.modem = modem;
    uart.interrupts = interrupts;
}

/* Until the chip has nothing to say. False: it is not there. */
static bool serve(void)
{
    for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
        uint8_t state = uart_in(LSR);
        if (state == 0xff)
            return false;
        receive(state);
        transmit(state);
        client_pump();
        update();
        uint8_t cause = uart_in(IIR);
        bool more = (state & LSR_THR_EMPTY) != 0 && !output_is_empty();
        if ((cause & IIR_NONE) != 0 && !more)
            break;
        if ((cause & (IIR_ID | IIR_NONE)) == IIR_MODEM)
            (void)uart_in(MSR); /* 8.9: reading it ends its interrupt */
    }
    return true;
}

bool uart_service(void)
{
    bool present = serve();
    console_watch();
    return present;
}

bool uart_is_idle(void)
{
    return (uart_in(LSR) & LSR_IDLE) != 0;
}

bool uart_interrupt(uint32_t number)
{
    bool present = uart_service();
    driver_irq_ack(&device, number);
    return present && uart_service();
}
