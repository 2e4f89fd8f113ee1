/* The chip: National Semiconductor PC16550D, by its data sheet (sections in comments); a 16450 works too, a byte at a time. Its registers are
 * ports, or in memory: then the device tree may say how far apart they are and how wide an access must be.
 *
 * The interrupt is an edge on a PC, so it is served until the chip says that none is pending (8.6), and once more after it was let
 * through again: an edge in between would be lost. The interrupt for an empty transmitter is enabled only while something waits to be sent; the
 * one for received bytes only while the line discipline has room. Without room RTS falls and the bytes stay in the FIFO, which is what
 * the other side's flow control sees. What was typed while no driver ran is still there: to enable FIFOs that are enabled does not clear them,
 * and where bytes wait without one, they are enabled when nothing has come for a while. */
#include <console/console.h>
#include <os/clock.h>
#include <veridian/syscalls.h>

#define BAUD 115200u
#define FIFO_BYTES 16u
#define REGISTERS 8u
#define REG_SHIFT_MAX 4u
/** Turns of one service: more is a chip that is never content. */
#define TURNS_MAX 4096u
#define QUIET_NS (100 * NS_PER_MS)

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
    handle_t ports;           /* HANDLE_NONE: in memory */
    uint32_t base;            /* first port */
    volatile uint8_t *memory; /* first register */
    uint32_t shift, width;    /* registers are 1 << shift apart and read @width bytes at a time */
    uint32_t fifo_bytes;
    uint64_t heard_ns; /* when a byte came last, while the FIFOs are yet to be enabled; else 0 */
    uint8_t interrupts, modem; /* what IER and MCR hold */
} uart;

static uint8_t uart_in(enum uart_register at)
{
    uint32_t value = 0xff;
    if (uart.ports != HANDLE_NONE) {
        status_t status = sys_ioport_in(uart.ports, uart.base + at, 1, &value);
        return status_is_ok(status) ? (uint8_t)value : 0xff;
    }
    volatile uint8_t *register_at = uart.memory + ((size_t)at << uart.shift);
    return (uint8_t)(uart.width == 4 ? mmio_read32(register_at) : mmio_read8(register_at));
}

static void uart_out(enum uart_register at, uint32_t value)
{
    if (uart.ports != HANDLE_NONE) {
        status_ignore(sys_ioport_out(uart.ports, uart.base + at, 1, value & 0xff));
        return;
    }
    volatile uint8_t *register_at = uart.memory + ((size_t)at << uart.shift);
    if (uart.width == 4)
        mmio_write32(register_at, value & 0xff);
    else
        mmio_write8(register_at, (uint8_t)value);
}

/* 8.10: the scratchpad has no function, so what answers there is a chip. */
static bool is_present(void)
{
    uart_out(SCR, 0xa5);
    return uart_in(SCR) == 0xa5;
}

static status_t find_registers(const struct driver_device *device)
{
    const struct device_window *window = &device->info->windows[0];
    uart.shift = device->info->reg_shift;
    uart.width = device->info->reg_width == 0 ? 1 : device->info->reg_width;
    uart.ports = device->ports[0];
    uart.base = (uint32_t)window->base;
    if (device->irqs[0] == HANDLE_NONE)
        return STATUS_NOT_FOUND;
    if (uart.ports != HANDLE_NONE)
        return window->bytes < REGISTERS || window->base > UINT16_MAX - 7 ? STATUS_NOT_FOUND
                                                                          : STATUS_OK;
    if (uart.shift > REG_SHIFT_MAX || (uart.width != 1 && uart.width != 4) ||
        (uart.width == 4 && (uart.shift < 2 || window->page_offset % 4 != 0)))
        return STATUS_UNSUPPORTED;
    uart.memory = driver_registers(device, 0, 0, (uint64_t)REGISTERS << uart.shift);
    return uart.memory == NULL ? STATUS_NOT_FOUND : STATUS_OK;
}

/* 8.3. Without knowing the clock the firmware's rate is as good as any. */
static void set_rate(uint32_t clock_hz)
{
    uint32_t divisor = clock_hz / (16 * BAUD);
    if (divisor != 0 && divisor <= UINT16_MAX) {
        uart_out(LCR, LCR_DLAB);
        uart_out(DLL, divisor & 0xff);
        uart_out(DLM, divisor >> 8);
    }
    uart_out(LCR, LCR_8N1);
}

/* This clears them (8.5). */
static void enable_fifos(void)
{
    uart_out(FCR, FCR_ENABLE | FCR_TRIGGER_8);
    uart.fifo_bytes = (uart_in(IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_BYTES : 1;
    uart.heard_ns = 0;
}

static status_t uart_start(struct driver_device *device)
{
    status_t status = find_registers(device);
    if (!status_is_ok(status))
        return status;
    if (!is_present())
        return STATUS_IO;
    set_rate(device->info->clock_hz);
    uart.fifo_bytes = 1;
    if ((uart_in(IIR) & IIR_FIFOS) != 0 || (uart_in(LSR) & LSR_DATA_READY) == 0)
        enable_fifos();
    else
        uart.heard_ns = clock_now_ns();
    uart.modem = MCR_DTR | MCR_RTS | MCR_OUT2;
    uart_out(MCR, uart.modem);
    uart.interrupts = IER_RECEIVED;
    uart_out(IER, uart.interrupts);
    return STATUS_OK;
}

/* Take what came, while there is room for it. The state of a byte is read before the byte (8.4). */
static void receive(uint8_t state)
{
    for (uint32_t i = 0; i < FIFO_BYTES && (state & LSR_DATA_READY) != 0 && console_has_room();
         i++) {
        uint8_t byte = uart_in(RBR);
        if ((state & LSR_BAD_BYTE) == 0)
            console_key(byte);
        state = uart_in(LSR);
    }
}

/* An empty THR means an empty FIFO (8.4, bit 5). */
static void transmit(uint8_t state)
{
    uint8_t byte;
    if ((state & LSR_THR_EMPTY) == 0)
        return;
    for (uint32_t i = 0; i < uart.fifo_bytes && console_take(&byte); i++)
        uart_out(THR, byte);
}

/* Enable the interrupts that are of use now. */
static void update(void)
{
    bool room = console_has_room();
    uint8_t interrupts =
        (uint8_t)((room ? IER_RECEIVED : 0u) | (console_is_silent() ? 0u : IER_THR_EMPTY));
    uint8_t modem = (uint8_t)(MCR_DTR | MCR_OUT2 | (room ? MCR_RTS : 0u));
    if (modem != uart.modem)
        uart_out(MCR, modem);
    if (interrupts != uart.interrupts)
        uart_out(IER, interrupts);
    uart.modem = modem;
    uart.interrupts = interrupts;
}

static void look_whether_quiet(uint8_t state)
{
    uint64_t now_ns = clock_now_ns();
    if ((state & LSR_DATA_READY) != 0)
        uart.heard_ns = now_ns;
    else if (now_ns - uart.heard_ns > QUIET_NS)
        enable_fifos();
}

static bool uart_service(void)
{
    for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
        uint8_t state = uart_in(LSR);
        if (state == 0xff)
            return false;
        if (uart.heard_ns != 0)
            look_whether_quiet(state);
        receive(state);
        transmit(state);
        console_pump();
        update();
        uint8_t cause = uart_in(IIR);
        bool more = (state & LSR_THR_EMPTY) != 0 && !console_is_silent();
        if ((cause & IIR_NONE) != 0 && !more)
            break;
        if ((cause & (IIR_ID | IIR_NONE)) == IIR_MODEM)
            (void)uart_in(MSR); /* 8.9: reading it ends its interrupt */
    }
    return true;
}

static bool uart_is_idle(void)
{
    return (uart_in(LSR) & LSR_IDLE) != 0;
}

int main(void)
{
    static const struct console_port port = {.name = "uart16550",
                                             .start = uart_start,
                                             .service = uart_service,
                                             .is_idle = uart_is_idle};
    return console_run(&port);
}
