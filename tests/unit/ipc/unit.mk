# Endpoints, queues, capabilities, processes, waits and kernel timers together: what happens when another CPU comes first.
SOURCES := kernel/ipc/endpoint.c kernel/ipc/lanes.c kernel/ipc/help.c kernel/ipc/raise.c kernel/ipc/queue.c kernel/ipc/waiters.c kernel/ipc/futex.c kernel/cap/cap.c kernel/cap/message.c kernel/cap/tree.c kernel/cap/revoke.c \
           kernel/sched/wait.c kernel/sched/level.c kernel/sched/policy.c kernel/sched/ktimer.c kernel/obj/timer.c kernel/obj/process.c kernel/sched/cancel.c kernel/lib/count.c kernel/debug/lockdep.c
CFLAGS :=
