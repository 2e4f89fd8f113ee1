# The scheduler: its policy, and with it queues, timers, waits and grace periods on CPUs whose time the test makes.
SOURCES := kernel/sched/policy.c kernel/sched/level.c kernel/sched/sched.c kernel/sched/rcu.c kernel/sched/ktimer.c kernel/sched/wait.c kernel/sched/cancel.c kernel/lib/count.c kernel/debug/lockdep.c kernel/debug/inject.c
CFLAGS :=
