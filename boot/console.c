#include "loader.h"

#define PIECE 64u

/* In pieces, because the firmware wants 16-bit characters with a zero behind them; its lines end with "\r\n". */
void console_print(const struct loader *loader, const char *text)
{
    struct efi_text_output *console = loader->system->console_out;
    uint16_t piece[PIECE + 1];

    while (console != NULL && *text != '\0') {
        size_t length = 0;

        while (*text != '\0' && length + 2 <= PIECE) {
            if (*text == '\n')
                piece[length++] = '\r';
            piece[length++] = (uint8_t)*text++;
        }
        piece[length] = 0;
        (void)console->output_string(console, piece);
    }
}
