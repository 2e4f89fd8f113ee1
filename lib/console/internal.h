#pragma once
/* The console's parts: the line discipline (tty.c), what is to be sent (output.c), what was shown (transcript.c), clients (client.c), the
 * loop (console.c). */
#include "tty.h"

#include <console/console.h>
#include <idl/bytestream.h>

/* console.c */
extern const struct console_port *console_port;
/** Have the port look at the chip. False: it is not there any more. */
bool console_service(void);
/** Something waits: see to it that it is looked at again. */
void console_watch(void);

/* output.c: a bounded queue of bytes on their way to the wire, each "\n" as "\r\n". */
/** Bytes that output_put() would take. */
size_t output_room(void);
/** Queue @bytes, at most output_room(). */
void output_put(const char *text, size_t bytes);
/** What the terminal shows of itself; dropped where even the reserve for it is full. */
void output_echo(void *context, const char *text, size_t bytes);

/* transcript.c: the last stretch of what was shown, for displays. */
#define TRANSCRIPT_BYTES 65536u
void transcript_put(uint8_t byte);
/** Copy at most @bytes of what came after *@position, and put there how far that reached; where *@position is not kept, begin at the first whole line
 *  that is. How many; 0: nothing came. */
size_t transcript_read(uint64_t *position, uint8_t *buffer, size_t bytes);

/* client.c */
/** Places in each table of clients that wait. */
#define WAITING_MAX 64u
extern const struct bytestream_ops client_ops;
void client_start(void);
/** Server hook: the caller whose reply was saved as @number is gone. */
void client_gone(void *instance, uint64_t number);
/** A client must be looked at again in a moment: its memory was absent, or it waits for the last bit. */
bool client_must_retry(void);
