#pragma once
/* The only process that the kernel starts. */
struct budget;

/** Load `init` from the boot archive, give it the root capabilities, make it runnable. Panics with a reason if it cannot. */
void init_create(struct budget *root);
