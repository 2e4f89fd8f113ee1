# The small kernel objects and libraries: formatting, ChaCha20, boot archive and ELF readers, queues, channels, budgets.
SOURCES := kernel/lib/format.c kernel/lib/chacha.c kernel/boot/cpio.c kernel/boot/elf.c kernel/ipc/queue.c kernel/ipc/waiters.c kernel/obj/channel.c \
           kernel/obj/budget.c kernel/cap/message.c kernel/obj/notification.c kernel/obj/timer.c kernel/obj/interrupt.c kernel/sched/cancel.c kernel/lib/count.c kernel/debug/lockdep.c
CFLAGS :=
