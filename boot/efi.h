#pragma once
/* The parts of UEFI 2.10 that the loader uses, with the specification's own names for what it defines but in our spelling. Functions and
 * fields that we do not touch are only there to keep the others in place. Section numbers are that specification's. */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t efi_status; /* UINTN: all our targets are 64-bit */
typedef void *efi_handle;

/* Appendix D */
#define EFI_SUCCESS UINT64_C(0)
#define EFI_ERROR_BIT (UINT64_C(1) << 63)
#define EFI_LOAD_ERROR (EFI_ERROR_BIT | 1)
#define EFI_INVALID_PARAMETER (EFI_ERROR_BIT | 2)
#define EFI_BUFFER_TOO_SMALL (EFI_ERROR_BIT | 5)

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

/* 4.2.1 */
struct efi_table_header {
    uint64_t signature;
    uint32_t revision, header_size, crc32, reserved;
};

/* 7.2.1 AllocatePages, 7.2.3 GetMemoryMap */
enum efi_allocate { EFI_ALLOCATE_ANY = 0, EFI_ALLOCATE_MAX_ADDRESS = 1, EFI_ALLOCATE_ADDRESS = 2 };
enum efi_memory_type { EFI_LOADER_CODE = 1, EFI_LOADER_DATA = 2 };
#define EFI_PAGE_BYTES 4096u

/* 12.4 */
struct efi_text_output {
    void *reset;
    efi_status (*output_string)(struct efi_text_output *self, const uint16_t *text);
};

/* 4.4.1 */
struct efi_boot_services {
    struct efi_table_header header;
    void *raise_tpl, *restore_tpl;
    efi_status (*allocate_pages)(uint32_t how, uint32_t type, uint64_t pages, uint64_t *address);
    void *free_pages;
    efi_status (*get_memory_map)(uint64_t *bytes, void *map, uint64_t *key, uint64_t *entry_bytes,
                                 uint32_t *version);
    void *allocate_pool, *free_pool, *create_event, *set_timer, *wait_for_event, *signal_event;
    void *close_event, *check_event, *install_protocol, *reinstall_protocol, *uninstall_protocol;
    efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *protocol,
                                  void **interface);
    void *reserved, *register_protocol_notify, *locate_handle, *locate_device_path;
    void *install_configuration_table, *load_image, *start_image, *exit, *unload_image;
    efi_status (*exit_boot_services)(efi_handle image, uint64_t map_key);
    void *get_next_monotonic_count, *stall, *set_watchdog_timer, *connect_controller;
    void *disconnect_controller, *open_protocol, *close_protocol, *open_protocol_information;
    void *protocols_per_handle, *locate_handle_buffer;
    efi_status (*locate_protocol)(const struct efi_guid *protocol, void *registration,
                                  void **interface);
};

/* 4.5.1 */
struct efi_runtime_services {
    struct efi_table_header header;
    void *get_time, *set_time, *get_wakeup_time, *set_wakeup_time, *set_virtual_address_map;
    void *convert_pointer;
    efi_status (*get_variable)(const uint16_t *name, const struct efi_guid *vendor,
                               uint32_t *attributes, uint64_t *bytes, void *data);
};

/* 4.6 */
struct efi_configuration_table {
    struct efi_guid vendor;
    void *table;
};

/* 4.3.1 */
struct efi_system_table {
    struct efi_table_header header;
    void *firmware_vendor;
    uint64_t firmware_revision; /* and padding */
    efi_handle console_in_handle;
    void *console_in;
    efi_handle console_out_handle;
    struct efi_text_output *console_out;
    efi_handle standard_error_handle;
    void *standard_error;
    struct efi_runtime_services *runtime;
    struct efi_boot_services *boot;
    uint64_t table_count;
    const struct efi_configuration_table *tables;
};
_Static_assert(offsetof(struct efi_system_table, boot) == 96, "EFI_SYSTEM_TABLE");
_Static_assert(offsetof(struct efi_boot_services, exit_boot_services) == 232, "EFI_BOOT_SERVICES");
_Static_assert(offsetof(struct efi_boot_services, locate_protocol) == 320, "EFI_BOOT_SERVICES");

/* 9.1 */
struct efi_loaded_image {
    uint32_t revision;
    efi_handle parent;
    struct efi_system_table *system;
    efi_handle device;
};

/* 13.4, 13.5 */
#define EFI_FILE_MODE_READ UINT64_C(1)
struct efi_file {
    uint64_t revision;
    efi_status (*open)(struct efi_file *self, struct efi_file **file, const uint16_t *name,
                       uint64_t mode, uint64_t attributes);
    efi_status (*close)(struct efi_file *self);
    void *delete;
    efi_status (*read)(struct efi_file *self, uint64_t *bytes, void *buffer);
};
struct efi_file_system {
    uint64_t revision;
    efi_status (*open_volume)(struct efi_file_system *self, struct efi_file **root);
};

/* 12.9.2 */
enum efi_pixel_format { EFI_PIXEL_RGBX = 0, EFI_PIXEL_BGRX = 1 };
struct efi_graphics_mode_info {
    uint32_t version, width, height, pixel_format;
    uint32_t pixel_masks[4];
    uint32_t pixels_per_row;
};
struct efi_graphics_mode {
    uint32_t mode_count, mode;
    const struct efi_graphics_mode_info *info;
    uint64_t info_bytes;
    uint64_t framebuffer;
    uint64_t framebuffer_bytes;
};
struct efi_graphics {
    void *query_mode, *set_mode, *blt;
    const struct efi_graphics_mode *mode;
};

/* 37.5 */
struct efi_random {
    void *get_info;
    efi_status (*get)(struct efi_random *self, const struct efi_guid *algorithm, uint64_t bytes,
                      void *value);
};
