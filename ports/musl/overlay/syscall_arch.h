/* In place of arch/<arch>/syscall_arch.h: the C library has no system calls of its own. Whatever it would ask of a
 * Linux kernel goes to one function of lib/os, which does the few that a C library cannot live without and answers
 * -ENOSYS to all others (lib/os/linux_call.c). */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

long os_linux_call(long n, long a, long b, long c, long d, long e, long f);

static __inline long __syscall0(long n)
{
	return os_linux_call(n, 0, 0, 0, 0, 0, 0);
}

static __inline long __syscall1(long n, long a)
{
	return os_linux_call(n, a, 0, 0, 0, 0, 0);
}

static __inline long __syscall2(long n, long a, long b)
{
	return os_linux_call(n, a, b, 0, 0, 0, 0);
}

static __inline long __syscall3(long n, long a, long b, long c)
{
	return os_linux_call(n, a, b, c, 0, 0, 0);
}

static __inline long __syscall4(long n, long a, long b, long c, long d)
{
	return os_linux_call(n, a, b, c, d, 0, 0);
}

static __inline long __syscall5(long n, long a, long b, long c, long d, long e)
{
	return os_linux_call(n, a, b, c, d, e, 0);
}

static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	return os_linux_call(n, a, b, c, d, e, f);
}

#define IPC_64 0
