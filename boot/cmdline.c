/* Where the kernel's command line comes from.
 *
 * The image has a section of its own for it (tools/mkimage writes it before the image is signed), so it is under the signature. The file
 * \EFI\veridian\cmdline of the volume that the loader came from adds to it, but is signed by nobody: with Secure Boot on it is not
 * looked at. The firmware's load options are a variable that whoever is root on another system may have written: they are never used. */
#include "loader.h"

static const struct efi_guid global_variable = {0x8be4df61,
                                                0x93ca,
                                                0x11d2,
                                                {0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}};
static const struct efi_guid file_system_protocol = {
    0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};

/* 3.3, table of globally defined variables: 1 if the firmware verifies what it starts. */
bool secure_boot_is_on(const struct loader *loader)
{
    uint8_t value = 0;
    uint64_t bytes = sizeof(value);

    return loader->system->runtime->get_variable(u"SecureBoot", &global_variable, NULL, &bytes,
                                                 &value) == EFI_SUCCESS &&
           value == 1;
}

/* Up to @bytes of the file; 0: there is none. */
static uint64_t file_read(const struct loader *loader, const uint16_t *name, void *buffer,
                          uint64_t bytes)
{
    struct efi_file_system *volume;
    struct efi_file *root, *file;
    void *interface;

    if (loader->system->boot->handle_protocol(loader->device, &file_system_protocol, &interface) !=
        EFI_SUCCESS)
        return 0;
    volume = interface;
    if (volume->open_volume(volume, &root) != EFI_SUCCESS)
        return 0;
    if (root->open(root, &file, name, EFI_FILE_MODE_READ, 0) != EFI_SUCCESS) {
        (void)root->close(root);
        return 0;
    }
    if (file->read(file, &bytes, buffer) != EFI_SUCCESS)
        bytes = 0;
    (void)file->close(file);
    (void)root->close(root);
    return bytes;
}

/* Add @text to @cmdline of @bytes, a space before it; what is no printable ASCII becomes a space, what does not fit is left out. */
static void append(char *cmdline, uint32_t bytes, const char *text, uint64_t length)
{
    uint32_t at = 0;

    while (cmdline[at] != '\0')
        at++;
    if (at != 0 && length != 0 && at + 1 < bytes)
        cmdline[at++] = ' ';
    for (uint64_t i = 0; i < length && text[i] != '\0' && at + 1 < bytes; i++)
        cmdline[at++] = text[i] > ' ' && text[i] <= '~' ? text[i] : ' ';
    cmdline[at] = '\0';
}

void cmdline_read(struct loader *loader, char *cmdline, uint32_t bytes)
{
    static char words[HANDOFF_CMDLINE_BYTES];

    cmdline[0] = '\0';
    append(cmdline, bytes, payload_cmdline, HANDOFF_CMDLINE_BYTES);
    if (!secure_boot_is_on(loader))
        append(cmdline, bytes, words,
               file_read(loader, u"\\EFI\\veridian\\cmdline", words, sizeof(words)));
}
