#pragma once
/* The console's parts: the chip (uart.c), the line discipline (tty.c), what is to be sent (output.c), what was shown
 * (transcript.c), clients (client.c), the loop (main.c).
 * One thread runs it all. */
#include "tty.h"

#include <driver/driver.h>
#include <idl/bytestream.h>

#define COOKIE_TIMER UINT64_MAX

extern struct driver_device device;

/* main.c */
/** Something waits: see to it that it is looked at again. */
void console_watch(void);

/* uart.c */
/** Set the chip up: 115200 baud, 8 bits, no parity, FIFOs. IO: nothing answers there; NOT_FOUND: no ports or interrupt were given. */
MUST_CHECK status_t uart_start(void);
/** Move bytes between the wire and the rest until the chip has nothing to say. False: it is not there any more. */
bool uart_service(void);
/** The last bit of what was sent is on the wire. */
bool uart_is_idle(void);
/** Acknowledge interrupt @number, and look again. */
bool uart_interrupt(uint32_t number);

/* output.c: a bounded queue of bytes on their way to the wire, each "\n" as "\r\n". */
/** Bytes that output_put() would take. */
size_t output_room(void);
/** Queue @bytes, at most output_room(). */
void output_put(const char *text, size_t bytes);
/** What the terminal shows of itself; dropped where even the reserve for it is full. */
void output_echo(void *context, const char *text, size_t bytes);
/** The next byte for the wire; false: none. */
bool output_take(uint8_t *byte);
bool output_is_empty(void);

/* transcript.c: the last stretch of what was shown, for displays. */
#define TRANSCRIPT_BYTES 65536u
void transcript_put(uint8_t byte);
/** Copy at most @bytes of what came after *@position, and put there how far that reached; where *@position is not kept, begin at the first whole line
 *  that is. How many; 0: nothing came. */
size_t transcript_read(uint64_t *position, uint8_t *buffer, size_t bytes);

/* client.c */
extern const struct bytestream_ops client_ops;
extern struct tty client_tty;
void client_start(void);
/** A byte came from the wire; only if tty_has_room(&client_tty). */
void client_key(uint8_t key);
/** Answer the calls that can be answered by now. */
void client_pump(void);
/** A client must be looked at again in a moment: its memory was absent, or it waits for the last bit. */
bool client_must_retry(void);
/** The caller of @token is gone. */
void client_gone(void *instance, uint64_t token);
