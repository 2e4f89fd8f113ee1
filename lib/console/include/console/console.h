#pragma once
/* The console on a serial port: line discipline, clients of idl/bytestream.idl, the queue of output, the transcript for displays.
 *
 * A driver of a serial chip supplies struct console_port and calls console_run(). One thread runs it all: it waits for interrupts of the
 * chip, calls, and a timer, which runs only while something waits. No state here matters: readers and writers of a driver that died ask
 * the next one. */
#include <driver/driver.h>
#include <stdbool.h>
#include <stdint.h>

struct console_port {
    /** The driver's name, for the log. */
    const char *name;
    /** Set the chip of @device up. What was typed while no driver ran is still in it, and stays. IO: nothing answers there; NOT_FOUND: no
     *  registers or interrupt were given; UNSUPPORTED. */
    status_t (*start)(struct driver_device *device);
    /** Move bytes between the wire and the console until the chip has nothing to say. False: it is not there any more. */
    bool (*service)(void);
    /** The last bit of what was sent is on the wire. */
    bool (*is_idle)(void);
};

/** The driver's main(). Returns its exit status. */
int console_run(const struct console_port *port);

/* What the port calls. */
/** console_key() may be called; without room bytes stay in the chip, which is what the other side's flow control sees. */
bool console_has_room(void);
/** A byte came from the wire. */
void console_key(uint8_t key);
/** The next byte for the wire; false: none. */
bool console_take(uint8_t *byte);
/** console_take() has none. */
bool console_is_silent(void);
/** Answer the calls that can be answered by now: bytes came, or left. */
void console_pump(void);
