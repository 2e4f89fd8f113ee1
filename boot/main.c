/* The UEFI loader: a program of the firmware with the kernel and the boot archive inside, so that one signature covers all three.
 *
 * It puts the kernel where it runs, notes in one block what the firmware knows (memory, ACPI tables or device tree, framebuffer, random
 * bytes, command line), takes the machine from the firmware and jumps. The boot archive stays where the firmware loaded it. Until the
 * firmware is left every failure is told on its console and ends in its hands; it then tries the next boot option. */
#include "loader.h"

/* Launchers look for this line: what the console shows after it is the system's own. */
#define LAST_LINE "veridian: leaving the firmware\n"

static const struct efi_guid loaded_image_protocol = {
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};

efi_status efi_main(efi_handle image, struct efi_system_table *system);

static const char *prepare(struct loader *loader)
{
    void *interface;

    if (loader->system->boot->handle_protocol(loader->image, &loaded_image_protocol, &interface) !=
        EFI_SUCCESS)
        return "the firmware does not know who we are";
    loader->device = ((const struct efi_loaded_image *)interface)->device;
    const char *wrong = enter_prepare(loader);

    if (wrong == NULL)
        wrong = kernel_load(loader);
    return wrong == NULL ? handoff_make(loader) : wrong;
}

efi_status efi_main(efi_handle image, struct efi_system_table *system)
{
    struct loader loader = {.image = image, .system = system};
    const char *wrong = prepare(&loader);

    if (wrong != NULL) {
        console_print(&loader, "veridian: ");
        console_print(&loader, wrong);
        console_print(&loader, "\n");
        return EFI_LOAD_ERROR;
    }
    if (secure_boot_is_on(&loader))
        console_print(&loader, "veridian: Secure Boot is on\n");
    console_print(&loader, LAST_LINE);
    if (!handoff_finish(&loader))
        return EFI_LOAD_ERROR;
    enter_kernel(&loader);
}
