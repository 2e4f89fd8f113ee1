/* The chip: Arm PrimeCell UART (PL011), by its technical reference manual, DDI 0183 (sections in comments).
 *
 * A level interrupt. The one for an empty transmitter comes when the FIFO falls below its trigger level, so it is enabled only while the FIFO
 * is full and more waits; those for received bytes only while the line discipline has room. Without room RTS falls and the bytes
 * stay in the FIFO. What was typed while no driver ran is still there: a chip that runs as we want it is not set up again, and what another has is
 * taken before its FIFO is made anew, until nothing has come for a while: QEMU's chip receives although it is off, and would lose it. */
#include <console/console.h>
#include <os/clock.h>
#include <veridian/syscalls.h>

#define BAUD 115200u
#define FIFO_BYTES 32u
/** Turns of one service: more is a chip that is never content. */
#define TURNS_MAX 4096u
/** Looks at a transmitter that is to become idle: a FIFO at 1,200 baud, with a look taking no less than 100 ns. */
#define IDLE_LOOKS_MAX 4000000u
#define QUIET_MS 20u

/* Registers (3.2, table 3-1). */
enum uart_register {
    DR = 0x00,
    FR = 0x18,
    IBRD = 0x24,
    FBRD = 0x28,
    LCR_H = 0x2c,
    CR = 0x30,
    IMSC = 0x38,
    ICR = 0x44,
    PCELL_ID = 0xff0,
};
#define REGISTER_BYTES 0x1000u

#define DR_BAD_BYTE 0x700u /* 3.3.1: framing error, parity error, break */
#define FR_BUSY 0x008u     /* 3.3.3 */
#define FR_RX_EMPTY 0x010u
#define FR_TX_FULL 0x020u
#define FR_GONE 0xffffffffu
#define LCR_8N1_FIFOS 0x70u /* 3.3.7 */
#define CR_ENABLE 0x001u    /* 3.3.8 */
#define CR_TX 0x100u
#define CR_RX 0x200u
#define CR_RTS 0x800u
#define INT_RX 0x010u /* 3.3.10 */
#define INT_TX 0x020u
#define INT_RX_TIMEOUT 0x040u
#define INT_ALL 0x7ffu

static struct {
    volatile uint8_t *registers;
    uint32_t interrupts, control; /* what IMSC and CR hold */
} uart;

static uint32_t uart_in(enum uart_register at)
{
    return mmio_read32(uart.registers + at);
}

static void uart_out(enum uart_register at, uint32_t value)
{
    mmio_write32(uart.registers + at, value);
}

/* 3.3.18: the identification of a PrimeCell, a byte in each of four registers. */
static bool is_present(void)
{
    static const uint8_t id[] = {0x0d, 0xf0, 0x05, 0xb1};
    for (uint32_t i = 0; i < sizeof(id); i++)
        if ((mmio_read32(uart.registers + PCELL_ID + 4 * i) & 0xff) != id[i])
            return false;
    return true;
}

/* 3.3.6: the divisor is clock / (16 * rate), with six bits of fraction. The firmware's stays where the clock is not known. */
static void set_rate(uint32_t clock_hz)
{
    uint64_t divisor = (4ull * clock_hz + BAUD / 2) / BAUD;
    if (divisor < 64 || divisor > UINT16_MAX * 64ull)
        return;
    uart_out(IBRD, (uint32_t)(divisor >> 6));
    uart_out(FBRD, (uint32_t)(divisor & 63));
}

/* Take what came, while there is room for it. True: something came. */
static bool receive(void)
{
    uint32_t taken = 0;
    for (; taken < FIFO_BYTES && (uart_in(FR) & FR_RX_EMPTY) == 0 && console_has_room(); taken++) {
        uint32_t data = uart_in(DR);
        if ((data & DR_BAD_BYTE) == 0)
            console_key((uint8_t)data);
    }
    return taken != 0;
}

/* 3.3.8: off, and the last byte gone, before anything is changed; the line control comes after the divisor, which it makes valid. */
static status_t set_up(uint32_t clock_hz)
{
    uart_out(CR, uart_in(CR) & ~CR_ENABLE);
    for (uint32_t looks = 0; (uart_in(FR) & FR_BUSY) != 0; looks++)
        if (looks == IDLE_LOOKS_MAX)
            return STATUS_IO;
    set_rate(clock_hz);
    for (uint32_t quiet = 0; quiet < QUIET_MS; quiet = receive() ? 0 : quiet + 1)
        clock_sleep(NS_PER_MS);
    uart_out(LCR_H, LCR_8N1_FIFOS);
    return STATUS_OK;
}

static status_t uart_start(struct driver_device *device)
{
    uart.registers = driver_registers(device, 0, 0, REGISTER_BYTES);
    if (uart.registers == NULL || device->irqs[0] == HANDLE_NONE)
        return STATUS_NOT_FOUND;
    if (!is_present())
        return STATUS_IO;
    uart_out(IMSC, 0);
    status_t status = STATUS_OK;
    if ((uart_in(CR) & CR_ENABLE) == 0 || (uart_in(LCR_H) & 0xff) != LCR_8N1_FIFOS)
        status = set_up(device->info->clock_hz);
    if (!status_is_ok(status))
        return status;
    uart_out(ICR, INT_ALL);
    uart.control = CR_ENABLE | CR_TX | CR_RX | CR_RTS;
    uart_out(CR, uart.control);
    uart.interrupts = INT_RX | INT_RX_TIMEOUT;
    uart_out(IMSC, uart.interrupts);
    return STATUS_OK;
}

/* True: something left. */
static bool transmit(void)
{
    uint32_t sent = 0;
    uint8_t byte;
    for (; sent < FIFO_BYTES && (uart_in(FR) & FR_TX_FULL) == 0 && console_take(&byte); sent++)
        uart_out(DR, byte);
    return sent != 0;
}

/* Enable the interrupts that are of use now. */
static void update(void)
{
    bool room = console_has_room();
    uint32_t interrupts =
        (room ? INT_RX | INT_RX_TIMEOUT : 0u) | (console_is_silent() ? 0u : INT_TX);
    uint32_t control = CR_ENABLE | CR_TX | CR_RX | (room ? CR_RTS : 0u);
    if (control != uart.control)
        uart_out(CR, control);
    if (interrupts != uart.interrupts)
        uart_out(IMSC, interrupts);
    uart.control = control;
    uart.interrupts = interrupts;
}

static bool uart_service(void)
{
    bool more = true;
    uart_out(ICR, INT_TX);
    for (uint32_t turn = 0; turn < TURNS_MAX && more; turn++) {
        if (uart_in(FR) == FR_GONE)
            return false;
        more = receive();
        more |= transmit();
        console_pump();
        update();
    }
    return true;
}

static bool uart_is_idle(void)
{
    return (uart_in(FR) & FR_BUSY) == 0;
}

int main(void)
{
    static const struct console_port port = {.name = "pl011",
                                             .start = uart_start,
                                             .service = uart_service,
                                             .is_idle = uart_is_idle};
    return console_run(&port);
}
