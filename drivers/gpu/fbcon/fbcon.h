#pragma once
/* The console's display: the device (bochs.c, firmware.c), painting (paint.c), the loop (main.c). */
#include "paint.h"

#include <driver/driver.h>

/** Use the screen as the firmware left it. UNSUPPORTED: it is described impossibly. */
MUST_CHECK status_t firmware_start(const struct driver_device *device, struct surface *surface);
/** Set the display's best mode. NOT_FOUND: no such device; UNSUPPORTED: not that interface, or no mode that fits. */
MUST_CHECK status_t bochs_start(const struct driver_device *device, struct surface *surface);
