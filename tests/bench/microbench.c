/*
 * microbench.c - OS micro benchmarks in one static binary.
 *
 * Runs as pid 1 (mounts what it needs, powers off at the end) or as an
 * ordinary program.  Only Linux system calls, no files needed besides itself.
 * Compiled with -Itests/bench/arch/<name>, which has the clock of boots.
 *
 * Arguments (kernel command line after "--", or normal argv):
 *   bench          all CPU/IPC/VFS/loopback benchmarks (default)
 *   boot           boot clock + memory after boot, nothing else
 *   blk            /dev/vda raw reads, /dev/vdb ext4 write+fdatasync
 *   net            TCP to a host helper at 10.0.2.2:PORT (net port=PORT)
 *   only=a,b,c     run only benchmarks whose name starts with one of these
 *   scale=N        multiply iteration counts by N/100
 *   -x             exit(0) at once (the exec target)
 *
 * Output lines:  NAME VALUE UNIT min=.. max=.. [note]
 * VALUE is the median of NB batches (first, warm-up, batch dropped).
 */
#define _GNU_SOURCE
#include "ticks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAXB 21
static int NB = 9;
static double scale = 1.0;
static const char *only;
static const char *self = "/init";
static volatile uintptr_t sink;

static inline uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void out(const char *fmt, ...)
{
    char b[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    if (n > (int)sizeof b - 1)
        n = sizeof b - 1;
    for (int o = 0; o < n;) {
        ssize_t w = write(1, b + o, n - o);
        if (w <= 0)
            break;
        o += w;
    }
    tcdrain(1); /* so that no UART interrupt lands in the next test */
}
static int cmpd(const void *a, const void *b)
{
    double x = *(double *)a, y = *(double *)b;
    return (x > y) - (x < y);
}
static void report(const char *name, double *v, int n, const char *unit)
{
    qsort(v, n, sizeof *v, cmpd);
    out("%s %.1f %s min=%.1f max=%.1f\n", name, v[n / 2], unit, v[0], v[n - 1]);
}
static void skip(const char *name, const char *why)
{
    out("%s SKIP %s errno=%d\n", name, why, errno);
}
static int want(const char *name)
{
    if (!only)
        return 1;
    for (const char *p = only; *p;) {
        size_t l = strcspn(p, ",");
        if (l && !strncmp(p, name, l))
            return 1;
        p += l;
        if (*p)
            p++;
    }
    return 0;
}
static int N(int n)
{
    int r = (int)(n * scale);
    return r < 1 ? 1 : r;
}
static void pin0(void)
{
    cpu_set_t s;
    CPU_ZERO(&s);
    CPU_SET(0, &s);
    sched_setaffinity(0, sizeof s, &s);
}

/* time ITER executions of BODY per batch; report ns per execution */
#define BENCH(name, iter, body)                    \
    do {                                           \
        if (!want(name))                           \
            break;                                 \
        double v_[MAXB];                           \
        int n_ = N(iter);                          \
        for (int b_ = -1; b_ < NB; b_++) {         \
            uint64_t t0_ = now();                  \
            for (int i_ = 0; i_ < n_; i_++) {      \
                body;                              \
            }                                      \
            uint64_t t1_ = now();                  \
            if (b_ >= 0)                           \
                v_[b_] = (double)(t1_ - t0_) / n_; \
        }                                          \
        report(name, v_, NB, "ns");                \
    } while (0)

/* ---- ping-pong helpers ------------------------------------------------ */
static void pp_child(int r, int w, size_t sz)
{
    char c[8];
    for (;;) {
        ssize_t n = read(r, c, sz);
        if (n <= 0 || c[0] == 'Q')
            _exit(0);
        if (write(w, c, n) != n)
            _exit(0);
    }
}
static void pp_parent(const char *name, int r, int w, size_t sz, int iter)
{
    char c[8] = {1}, d[8];
    BENCH(
        name, iter, if (write(w, c, sz) != (ssize_t)sz || read(r, d, sz) <= 0) {
            skip(name, "io");
            return;
        });
}

static void b_pipe_pp(void)
{
    if (!want("pipe_pingpong"))
        return;
    int a[2], b[2];
    if (pipe(a) || pipe(b)) {
        skip("pipe_pingpong", "pipe");
        return;
    }
    pid_t p = fork();
    if (p == 0) {
        close(a[1]);
        close(b[0]);
        pp_child(a[0], b[1], 1);
    }
    close(a[0]);
    close(b[1]);
    pp_parent("pipe_pingpong", b[0], a[1], 1, 2000);
    close(a[1]);
    close(b[0]);
    waitpid(p, 0, 0);
}
static void b_unix_pp(void)
{
    if (!want("unix_pingpong"))
        return;
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) {
        skip("unix_pingpong", "socketpair");
        return;
    }
    pid_t p = fork();
    if (p == 0) {
        close(s[0]);
        pp_child(s[1], s[1], 1);
    }
    close(s[1]);
    pp_parent("unix_pingpong", s[0], s[0], 1, 2000);
    close(s[0]);
    waitpid(p, 0, 0);
}
static void b_eventfd_pp(void)
{
    if (!want("eventfd_pingpong"))
        return;
    int a = eventfd(0, 0), b = eventfd(0, 0);
    if (a < 0 || b < 0) {
        skip("eventfd_pingpong", "eventfd");
        return;
    }
    pid_t p = fork();
    if (p == 0)
        pp_child(a, b, 8);
    pp_parent("eventfd_pingpong", b, a, 8, 2000);
    uint64_t q = 'Q';
    write(a, &q, 8);
    waitpid(p, 0, 0);
    close(a);
    close(b);
}
static int tcp_pair(int *cli, int *srv)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t sl = sizeof sa;
    if (l < 0 || bind(l, (void *)&sa, sizeof sa) || listen(l, 4) ||
        getsockname(l, (void *)&sa, &sl))
        return -1;
    int c = socket(AF_INET, SOCK_STREAM, 0);
    if (c < 0 || connect(c, (void *)&sa, sizeof sa))
        return -1;
    int s = accept(l, 0, 0);
    if (s < 0)
        return -1;
    setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    close(l);
    *cli = c;
    *srv = s;
    return 0;
}
static void b_tcp_pp(void)
{
    if (!want("tcp_pingpong"))
        return;
    int c, s;
    if (tcp_pair(&c, &s)) {
        skip("tcp_pingpong", "tcp");
        return;
    }
    pid_t p = fork();
    if (p == 0) {
        close(c);
        pp_child(s, s, 1);
    }
    close(s);
    pp_parent("tcp_pingpong", c, c, 1, 1000);
    close(c);
    waitpid(p, 0, 0);
}

/* ---- bandwidth: parent sends TOTAL in 64 KiB writes, child acks 1 byte -- */
#define CH 65536
static char *bigbuf;
static int readn(int fd, size_t n)
{
    while (n) {
        ssize_t r = read(fd, bigbuf, n < CH ? n : CH);
        if (r <= 0)
            return -1;
        n -= r;
    }
    return 0;
}
static void bw_run(const char *name, int w, int ackr, int r, int ackw, int cl_a, int cl_b)
{
    size_t total = (size_t)N(16) << 20;
    double v[MAXB];
    int nb = 5;
    pid_t p = fork();
    if (p == 0) {
        if (w != r)
            close(w);
        for (;;) {
            if (readn(r, total))
                _exit(0);
            if (write(ackw, "a", 1) != 1)
                _exit(0);
        }
    }
    close(cl_a);
    if (cl_b >= 0)
        close(cl_b);
    for (int b = -1; b < nb; b++) {
        uint64_t t0 = now();
        char c;
        for (size_t o = 0; o < total;) {
            ssize_t n = write(w, bigbuf, CH);
            if (n <= 0) {
                skip(name, "write");
                goto end;
            }
            o += n;
        }
        if (read(ackr, &c, 1) != 1) {
            skip(name, "ack");
            goto end;
        }
        uint64_t t1 = now();
        if (b >= 0)
            v[b] = (double)total / 1048576.0 * 1e9 / (double)(t1 - t0);
    }
    report(name, v, nb, "MiB/s");
end:
    close(w);
    if (ackr != w)
        close(ackr);
    kill(p, SIGKILL);
    waitpid(p, 0, 0);
}
static void b_bw(void)
{
    int a[2], b[2];
    if (want("pipe_bw_64k")) {
        if (pipe(a) || pipe(b))
            skip("pipe_bw_64k", "pipe");
        else
            bw_run("pipe_bw_64k", a[1], b[0], a[0], b[1], a[0], b[1]);
    }
    if (want("unix_bw_64k")) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, a))
            skip("unix_bw_64k", "socketpair");
        else
            bw_run("unix_bw_64k", a[0], a[0], a[1], a[1], a[1], -1);
    }
    if (want("tcp_bw_64k")) {
        if (tcp_pair(&a[0], &a[1]))
            skip("tcp_bw_64k", "tcp");
        else
            bw_run("tcp_bw_64k", a[0], a[0], a[1], a[1], a[1], -1);
    }
}

/* ---- threads ----------------------------------------------------------- */
static pthread_mutex_t mx = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c0 = PTHREAD_COND_INITIALIZER, c1 = PTHREAD_COND_INITIALIZER;
static int turn, stop;
static void *cond_peer(void *x)
{
    pthread_mutex_lock(&mx);
    for (;;) {
        while (turn != 1 && !stop)
            pthread_cond_wait(&c1, &mx);
        if (stop)
            break;
        turn = 0;
        pthread_cond_signal(&c0);
    }
    pthread_mutex_unlock(&mx);
    return x;
}
static void b_cond_pp(void)
{
    if (!want("condvar_pingpong"))
        return;
    pthread_t t;
    turn = stop = 0;
    if (pthread_create(&t, 0, cond_peer, 0)) {
        skip("condvar_pingpong", "thread");
        return;
    }
    pthread_mutex_lock(&mx);
    BENCH("condvar_pingpong", 2000, turn = 1; pthread_cond_signal(&c1);
          while (turn != 0) pthread_cond_wait(&c0, &mx););
    stop = 1;
    pthread_cond_signal(&c1);
    pthread_mutex_unlock(&mx);
    pthread_join(t, 0);
}
static int fx[2];
#define FWAIT(a, v) syscall(SYS_futex, (a), 128 /*WAIT|PRIVATE*/, (v), 0, 0, 0)
#define FWAKE(a) syscall(SYS_futex, (a), 129 /*WAKE|PRIVATE*/, 1, 0, 0, 0)
static void fpost(int *a)
{
    __atomic_store_n(a, 1, __ATOMIC_SEQ_CST);
    FWAKE(a);
}
static int fpend(int *a)
{
    int v;
    while (!(v = __atomic_load_n(a, __ATOMIC_SEQ_CST)))
        FWAIT(a, 0);
    if (v == 1)
        __atomic_store_n(a, 0, __ATOMIC_SEQ_CST);
    return v;
}
static void *futex_peer(void *x)
{
    for (;;) {
        if (fpend(&fx[0]) == 2)
            return x;
        fpost(&fx[1]);
    }
}
static void b_futex_pp(void)
{
    if (!want("futex_pingpong"))
        return;
    pthread_t t;
    fx[0] = fx[1] = 0;
    if (pthread_create(&t, 0, futex_peer, 0)) {
        skip("futex_pingpong", "thread");
        return;
    }
    BENCH("futex_pingpong", 2000, fpost(&fx[0]); fpend(&fx[1]););
    __atomic_store_n(&fx[0], 2, __ATOMIC_SEQ_CST);
    FWAKE(&fx[0]);
    pthread_join(t, 0);
}
static void *nop_thread(void *x)
{
    return x;
}

/* ---- sched_yield -------------------------------------------------------- */
static void b_yield(void)
{
    BENCH("sched_yield_alone", 5000, sched_yield());
    if (!want("sched_yield_2proc"))
        return;
    volatile uint64_t *sh =
        mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sh == MAP_FAILED) {
        skip("sched_yield_2proc", "mmap");
        return;
    }
    pid_t p = fork();
    if (p == 0) {
        pin0();
        while (!sh[1]) {
            sched_yield();
            sh[0]++;
        }
        _exit(0);
    }
    double v[MAXB], w[MAXB];
    int n = N(5000);
    for (int b = -1; b < NB; b++) {
        uint64_t c = sh[0], t0 = now();
        for (int i = 0; i < n; i++)
            sched_yield();
        uint64_t t1 = now();
        c = sh[0] - c;
        if (b >= 0) {
            v[b] = (double)(t1 - t0) / (double)(n + c);
            w[b] = (double)c / n;
        }
    }
    sh[1] = 1;
    waitpid(p, 0, 0);
    report("sched_yield_2proc", v, NB, "ns"); /* per yield of either */
    report("sched_yield_2proc_ratio", w, NB, "peer_yields/own");
    munmap((void *)sh, 4096);
}

/* ---- processes ---------------------------------------------------------- */
static void b_proc(void)
{
    char *av[] = {(char *)self, "-x", 0}, *ev[] = {0};
    BENCH("fork_exit_wait", 100, pid_t p = fork(); if (p == 0) _exit(0); waitpid(p, 0, 0));
    BENCH(
        "fork_exec_wait", 50, pid_t p = fork(); if (p == 0) {
            execve(self, av, ev);
            _exit(1);
        } waitpid(p, 0, 0));
    BENCH(
        "vfork_exec_wait", 50, pid_t p = vfork(); if (p == 0) {
            execve(self, av, ev);
            _exit(1);
        } waitpid(p, 0, 0));
    BENCH("thread_create_join", 200, pthread_t t;
          if (!pthread_create(&t, 0, nop_thread, 0)) pthread_join(t, 0));
}

/* ---- memory -------------------------------------------------------------- */
static void fault_run(const char *name, int advice)
{
    if (!want(name))
        return;
    size_t sz = 64 << 20;
    double v[MAXB];
    int nb = 5;
    for (int b = -1; b < nb; b++) {
        volatile char *m = mmap(0, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED) {
            skip(name, "mmap");
            return;
        }
        if (advice)
            madvise((void *)m, sz, advice);
        uint64_t t0 = now();
        for (size_t o = 0; o < sz; o += 4096)
            m[o] = 1;
        uint64_t t1 = now();
        if (b >= 0)
            v[b] = (double)(t1 - t0) / (double)(sz / 4096);
        munmap((void *)m, sz);
    }
    report(name, v, nb, "ns");
}
static void b_mem(void)
{
    BENCH(
        "mmap_touch_munmap_4k", 1000,
        volatile char *m =
            mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED) {
            skip("mmap_touch_munmap_4k", "mmap");
            break;
        } m[0] = 1;
        munmap((void *)m, 4096));
    fault_run("page_fault_4k", MADV_NOHUGEPAGE); /* 64 MiB, THP off for the range */
    fault_run("page_fault_default", 0);          /* 64 MiB, system default (THP)  */
    if (want("memcpy_1m") || want("memset_1m")) {
        size_t sz = 1 << 20;
        char *a = malloc(sz), *b = malloc(sz);
        double v[MAXB];
        memset(a, 1, sz);
        memset(b, 2, sz);
        if (want("memcpy_1m")) {
            for (int k = -1; k < NB; k++) {
                uint64_t t0 = now();
                for (int i = 0; i < 16; i++) {
                    memcpy(b, a, sz);
                    sink += b[i];
                }
                uint64_t t1 = now();
                if (k >= 0)
                    v[k] = 16e9 / (double)(t1 - t0);
            }
            report("memcpy_1m", v, NB, "MiB/s");
        }
        if (want("memset_1m")) {
            for (int k = -1; k < NB; k++) {
                uint64_t t0 = now();
                for (int i = 0; i < 16; i++) {
                    memset(b, i, sz);
                    sink += b[i];
                }
                uint64_t t1 = now();
                if (k >= 0)
                    v[k] = 16e9 / (double)(t1 - t0);
            }
            report("memset_1m", v, NB, "MiB/s");
        }
        free(a);
        free(b);
    }
}

/* ---- files (tmpfs /tmp) --------------------------------------------------- */
static void b_file(void)
{
    const char *f = "/tmp/mb_file", *d = "/tmp/mb_dir";
    char nm[64];
    struct stat st;
    int fd = open(f, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) {
        skip("files", "open");
        return;
    }
    for (int i = 0; i < 16; i++)
        if (write(fd, bigbuf, CH) != CH) {
            skip("files", "write");
            return;
        }
    static char mb[1 << 20];
    memset(mb, 1, sizeof mb);
    BENCH("read_1b_tmpfs", 5000, pread(fd, mb, 1, 0));
    BENCH(
        "read_4k_tmpfs", 2000, if (pread(fd, mb, 4096, 0) != 4096) {
            skip("read_4k_tmpfs", "read");
            return;
        });
    BENCH(
        "read_1m_tmpfs", 20, if (pread(fd, mb, 1 << 20, 0) != 1 << 20) {
            skip("read_1m_tmpfs", "read");
            return;
        });
    BENCH(
        "write_4k_tmpfs", 2000, if (pwrite(fd, mb, 4096, 0) != 4096) {
            skip("write_4k_tmpfs", "write");
            return;
        });
    close(fd);
    BENCH("open_close", 1000, int q = open(f, O_RDONLY); close(q));
    BENCH("stat", 2000, stat(f, &st));
    BENCH("create_unlink", 500, int q = open("/tmp/mb_small", O_WRONLY | O_CREAT | O_EXCL, 0644);
          write(q, mb, 100); close(q); unlink("/tmp/mb_small"));
    unlink(f);
    if (want("getdents_1000")) {
        mkdir(d, 0755);
        for (int i = 0; i < 1000; i++) {
            snprintf(nm, sizeof nm, "%s/file%04d", d, i);
            int q = open(nm, O_WRONLY | O_CREAT, 0644);
            if (q >= 0)
                close(q);
        }
        int cnt = 0;
        BENCH(
            "getdents_1000", 10, int q = open(d, O_RDONLY | O_DIRECTORY); cnt = 0; for (;;) {
                long n = syscall(SYS_getdents64, q, mb, 32768);
                if (n <= 0)
                    break;
                for (long o = 0; o < n;) {
                    cnt++;
                    o += *(unsigned short *)(mb + o + 16);
                }
            } close(q));
        if (cnt != 1002)
            out("# getdents saw %d entries (expected 1002)\n", cnt);
        for (int i = 0; i < 1000; i++) {
            snprintf(nm, sizeof nm, "%s/file%04d", d, i);
            unlink(nm);
        }
        rmdir(d);
    }
}

/* ---- plain syscalls --------------------------------------------------------- */
static volatile int sigs;
static void on_sig(int s)
{
    sigs += s;
}
static void b_sys(void)
{
    struct timespec ts;
    BENCH("empty_loop", 100000, sink++);
    BENCH("getppid", 20000, syscall(SYS_getppid));
    BENCH("clock_gettime_vdso", 20000, clock_gettime(CLOCK_MONOTONIC, &ts));
    BENCH("clock_gettime_syscall", 10000, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
    signal(SIGUSR1, on_sig);
    pid_t me = getpid();
    BENCH("signal_self", 2000, kill(me, SIGUSR1));
    if (want("epoll_wait_ready")) {
        int ep = epoll_create1(0), ev = eventfd(1, 0);
        struct epoll_event e = {.events = EPOLLIN}, o;
        if (ep < 0 || ev < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e))
            skip("epoll_wait_ready", "epoll");
        else
            BENCH("epoll_wait_ready", 5000, epoll_wait(ep, &o, 1, 0));
        close(ep);
        close(ev);
    }
}

/* ---- setup -------------------------------------------------------------------- */
static void cat1(const char *label, const char *path)
{
    char b[512];
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return;
    int n = read(fd, b, sizeof b - 1);
    close(fd);
    if (n <= 0)
        return;
    b[n] = 0;
    b[strcspn(b, "\n")] = 0;
    out("# %s: %s\n", label, b);
}
static void ifup(const char *ifn, uint32_t ip, uint32_t mask)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq r;
    if (s < 0)
        return;
    struct sockaddr_in sa = {.sin_family = AF_INET};
    memset(&r, 0, sizeof r);
    strcpy(r.ifr_name, ifn);
    sa.sin_addr.s_addr = htonl(ip);
    memcpy(&r.ifr_addr, &sa, sizeof sa);
    int e1 = ioctl(s, SIOCSIFADDR, &r);
    sa.sin_addr.s_addr = htonl(mask);
    memcpy(&r.ifr_netmask, &sa, sizeof sa);
    int e2 = ioctl(s, SIOCSIFNETMASK, &r);
    memset(&r, 0, sizeof r);
    strcpy(r.ifr_name, ifn);
    ioctl(s, SIOCGIFFLAGS, &r);
    r.ifr_flags |= IFF_UP | IFF_RUNNING;
    int e3 = ioctl(s, SIOCSIFFLAGS, &r);
    if (e1 | e2 | e3)
        out("# ifup %s: %d %d %d errno=%d\n", ifn, e1, e2, e3, errno);
    close(s);
}
static void load_mods(void)
{
    static char l[2048];
    int fd = open("/mods/list", O_RDONLY);
    if (fd < 0)
        return;
    int n = read(fd, l, sizeof l - 1);
    close(fd);
    l[n < 0 ? 0 : n] = 0;
    for (char *p = strtok(l, "\n"); p; p = strtok(0, "\n")) {
        char path[128];
        snprintf(path, sizeof path, "/mods/%s", p);
        int m = open(path, O_RDONLY);
        long r = syscall(SYS_finit_module, m, "", 0);
        if (r)
            out("# module %s: errno=%d\n", p, errno);
        close(m);
    }
}
static uint64_t idle_ns(void) /* CPU idle ns since boot, from /proc/timer_list */
{
    static char b[65536];
    uint64_t t = 0;
    int fd = open("/proc/timer_list", O_RDONLY), n = 0, r;
    if (fd < 0)
        return 0;
    while (n < (int)sizeof b - 1 && (r = read(fd, b + n, sizeof b - 1 - n)) > 0)
        n += r;
    close(fd);
    b[n] = 0;
    for (char *p = b; (p = strstr(p, "_sleeptime")); p++) { /* idle_sleeptime + iowait_sleeptime */
        char *c = strchr(p, ':');
        if (c)
            t += strtoull(c + 1, 0, 10);
    }
    return t;
}
static void do_boot(uint64_t tk, uint64_t hz, uint64_t mono)
{
    char b[2048];
    out("boot_ticks %llu ticks hz=%llu\n", (unsigned long long)tk, (unsigned long long)hz);
    if (hz)
        out("boot_ns_from_reset %llu ns\n", (unsigned long long)((double)tk * 1e9 / (double)hz));
    out("boot_monotonic %llu ns\n", (unsigned long long)mono);
    int fd = open("/proc/meminfo", O_RDONLY), n = read(fd, b, sizeof b - 1);
    close(fd);
    if (n > 0) {
        b[n] = 0;
        for (char *p = strtok(b, "\n"); p; p = strtok(0, "\n"))
            if (!strncmp(p, "Mem", 3) || !strncmp(p, "Slab", 4) || !strncmp(p, "SUnr", 4) ||
                !strncmp(p, "KernelSt", 8) || !strncmp(p, "Percpu", 6) ||
                !strncmp(p, "VmallocU", 8))
                out("# %s\n", p);
    }
#ifdef BOOTIDLE
    out("boot_idle %llu ns\n", (unsigned long long)idle_ns());
#endif
    out("BOOT_OK\n");
}

/* ---- block ----------------------------------------------------------------------- */
static uint32_t rng = 12345;
static uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng;
}
/* one line with elapsed and cpu-busy (elapsed minus idle) per operation */
#define IOB(name, nb, ops, bytes, body)                                                       \
    do {                                                                                      \
        if (!want(name))                                                                      \
            break;                                                                            \
        double v_[MAXB], w_[MAXB];                                                            \
        int n_ = N(ops);                                                                      \
        for (int b_ = -1; b_ < (nb); b_++) {                                                  \
            uint64_t i0_ = idle_ns(), t0_ = now();                                            \
            for (int i_ = 0; i_ < n_; i_++) {                                                 \
                body;                                                                         \
            }                                                                                 \
            uint64_t t1_ = now(), i1_ = idle_ns();                                            \
            if (b_ >= 0) {                                                                    \
                v_[b_] = (double)(t1_ - t0_) / n_;                                            \
                w_[b_] = (double)(t1_ - t0_) - (double)(i1_ - i0_);                           \
                w_[b_] /= n_;                                                                 \
            }                                                                                 \
        }                                                                                     \
        report(name, v_, nb, "ns");                                                           \
        report(name "_busy", w_, nb, "ns");                                                   \
        if (bytes)                                                                            \
            out(name "_rate %.1f MiB/s\n", (double)(bytes) * 1e9 / 1048576.0 / v_[(nb) / 2]); \
    } while (0)
static void do_blk(void)
{
    char *buf;
    if (posix_memalign((void **)&buf, 4096, 1 << 20))
        return;
    int fd = -1;
    for (int i = 0; i < 50 && fd < 0; i++) {
        fd = open("/dev/vda", O_RDONLY | O_DIRECT);
        if (fd < 0)
            usleep(20000);
    }
    if (fd < 0) {
        skip("blk", "/dev/vda");
        return;
    }
    long sz = lseek(fd, 0, SEEK_END);
    out("# vda %ld bytes\n", sz);
    if (sz < 64 << 20)
        return;
    uint32_t pages = (64 << 20) / 4096;
    IOB(
        "blk_seqread_1m", 5, 64, 1 << 20,
        if (pread(fd, buf, 1 << 20, (off_t)(i_ % 64) << 20) != 1 << 20) {
            skip("blk_seqread_1m", "read");
            return;
        });
    IOB(
        "blk_seqread_64k", 5, 1024, 65536,
        if (pread(fd, buf, 65536, (off_t)(i_ % 1024) << 16) != 65536) {
            skip("blk_seqread_64k", "read");
            return;
        });
    IOB(
        "blk_randread_4k", 5, 2000, 4096,
        if (pread(fd, buf, 4096, (off_t)(rnd() % pages) * 4096) != 4096) {
            skip("blk_randread_4k", "read");
            return;
        });
    close(fd);
    mkdir("/mnt", 0755);
    if (mount("/dev/vdb", "/mnt", "ext4", 0, "")) {
        skip("ext4", "mount");
        return;
    }
    fd = open("/mnt/f", O_RDWR | O_CREAT | O_TRUNC, 0644);
    memset(buf, 7, 1 << 20);
    for (int i = 0; i < 16; i++)
        if (write(fd, buf, 1 << 20) != 1 << 20) {
            skip("ext4", "fill");
            return;
        }
    fsync(fd);
    IOB("ext4_overwrite4k_fdatasync", 5, 100, 4096,
        pwrite(fd, buf, 4096, (off_t)(rnd() % 4096) * 4096);
        fdatasync(fd));
    IOB("ext4_append4k_fdatasync", 5, 100, 4096, pwrite(fd, buf, 4096, lseek(fd, 0, SEEK_END));
        fdatasync(fd));
    IOB("ext4_read4k_cached", 5, 2000, 4096, pread(fd, buf, 4096, (off_t)(rnd() % 4096) * 4096));
    IOB("ext4_create_unlink", 5, 500, 0, int q = open("/mnt/s", O_WRONLY | O_CREAT | O_EXCL, 0644);
        write(q, buf, 100); close(q); unlink("/mnt/s"));
    close(fd);
    umount("/mnt");
}

/* ---- network ----------------------------------------------------------------------- */
static int net_conn(int port, char mode)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(0x0a000202)};
    if (s < 0 || connect(s, (void *)&sa, sizeof sa)) {
        if (s >= 0)
            close(s);
        return -1;
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (write(s, &mode, 1) != 1)
        return -1;
    return s;
}
static void do_net(int port)
{
    ifup("eth0", 0x0a00020f, 0xffffff00);
    int s = -1;
    for (int i = 0; i < 20 && s < 0; i++) {
        s = net_conn(port, 'P');
        if (s < 0)
            usleep(50000);
    }
    if (s < 0) {
        skip("net", "connect");
        return;
    }
    char c = 1;
    size_t tot = 16 << 20;
    IOB(
        "net_pingpong", 5, 500, 0, if (write(s, &c, 1) != 1 || read(s, &c, 1) != 1) {
            skip("net_pingpong", "io");
            return;
        });
    close(s);
    s = net_conn(port, 'S');
    if (s < 0) {
        skip("net_send", "connect");
        return;
    }
    /* sink acks one byte each 16 MiB */
    IOB(
        "net_send_16m", 5, 1, tot,
        for (size_t o = 0; o < tot;) {
            ssize_t n = write(s, bigbuf, CH);
            if (n <= 0) {
                skip("net_send", "io");
                return;
            }
            o += n;
        } if (read(s, &c, 1) != 1) {
            skip("net_send", "ack");
            return;
        });
    close(s);
    s = net_conn(port, 'R');
    if (s < 0) {
        skip("net_recv", "connect");
        return;
    }
    /* source sends 16 MiB for each byte asked */
    IOB(
        "net_recv_16m", 5, 1, tot, c = 'g'; write(s, &c, 1); if (readn(s, tot)) {
            skip("net_recv", "io");
            return;
        });
    close(s);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "-x"))
        _exit(0);
    int boot = 0, blk = 0, net = 0, port = 7777;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "boot"))
            boot = 1;
    uint64_t hz = 0, tk = boot ? ticks(&hz) : 0, mono = now();
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only=", 5))
            only = argv[i] + 5;
        else if (!strncmp(argv[i], "scale=", 6))
            scale = atof(argv[i] + 6) / 100.0;
        else if (!strncmp(argv[i], "port=", 5))
            port = atoi(argv[i] + 5);
        else if (!strncmp(argv[i], "batches=", 8)) {
            NB = atoi(argv[i] + 8);
            if (NB > MAXB)
                NB = MAXB;
            if (NB < 1)
                NB = 1;
        } else if (!strcmp(argv[i], "blk"))
            blk = 1;
        else if (!strcmp(argv[i], "net"))
            net = 1;
    }
    int pid1 = getpid() == 1;
    if (argc > 0 && argv[0] && argv[0][0] == '/')
        self = argv[0];
    if (pid1) {
        write(1, "FIRST_USER\n", 11);
        mkdir("/proc", 0755);
        mkdir("/sys", 0755);
        mkdir("/dev", 0755);
        mkdir("/tmp", 01777);
        mount("proc", "/proc", "proc", 0, "");
        mount("sysfs", "/sys", "sysfs", 0, "");
        mount("dev", "/dev", "devtmpfs", 0, "");
        mount("tmpfs", "/tmp", "tmpfs", 0, "");
    }
    if (boot)
        do_boot(tk, hz, mono);
    else {
        struct utsname u;
        uname(&u);
        out("# %s %s %s %s\n", u.sysname, u.release, u.version, u.machine);
        cat1("cmdline", "/proc/cmdline");
        cat1("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
        cat1("thp", "/sys/kernel/mm/transparent_hugepage/enabled");
        static const char *vn[] = {"meltdown",
                                   "spectre_v1",
                                   "spectre_v2",
                                   "spec_store_bypass",
                                   "retbleed",
                                   "spec_rstack_overflow",
                                   "l1tf",
                                   "mds",
                                   "srbds",
                                   "mmio_stale_data",
                                   "itlb_multihit",
                                   "tsx_async_abort",
                                   "gather_data_sampling",
                                   "reg_file_data_sampling",
                                   "indirect_target_selection",
                                   "tsa",
                                   "vmscape"};
        char pth[128];
        for (unsigned i = 0; i < sizeof vn / sizeof *vn; i++) {
            snprintf(pth, sizeof pth, "/sys/devices/system/cpu/vulnerabilities/%s", vn[i]);
            cat1(vn[i], pth);
        }
        bigbuf = malloc(CH);
        memset(bigbuf, 1, CH);
        signal(SIGPIPE, SIG_IGN);
        pin0();
        if (blk || net)
            load_mods();
        if (blk)
            do_blk();
        else if (net)
            do_net(port);
        else {
            if (pid1)
                ifup("lo", INADDR_LOOPBACK, 0xff000000);
            usleep(200000); /* let boot-time kernel work finish */
            uint64_t t0 = now();
            b_sys();
            b_yield();
            b_pipe_pp();
            b_unix_pp();
            b_eventfd_pp();
            b_futex_pp();
            b_cond_pp();
            b_tcp_pp();
            b_proc();
            b_mem();
            b_file();
            b_bw();
            out("# total %.3f s\n", (double)(now() - t0) / 1e9);
        }
        cat1("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
        out("BENCH_DONE\n");
    }
    if (pid1) {
        sync();
        reboot(RB_POWER_OFF);
        for (;;)
            pause();
    }
    return 0;
}
