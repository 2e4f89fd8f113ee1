/* Messages' bytes and grants (kernel/ipc/endpoint.c): any info word, any grant, written by the caller as it likes, any part of it asked for.
 * proves: a server's copy stays inside the caller's grant, of that access, and inside what was asked; it is made under the caller's reply lock, which is given back; a message's bytes and grants stay inside the buffers
 * bounds: none but one copy: any grant, offset and length; a message of any size without capabilities
 * options: --unwind 10
 * fault: kernel/ipc/endpoint.c :: s/\*bytes = MIN\(\*bytes, grant.length - offset\);/;/ :: a copy goes behind the grant
 * fault: kernel/ipc/endpoint.c :: s/ \|\| __builtin_add_overflow\(grant.address, offset, address\)/ || (*address = grant.address + offset, false)/ :: an address that wraps around
 * fault: kernel/ipc/endpoint.c :: s/offset > grant.length \|\| // :: an offset behind the grant
 * fault: kernel/ipc/endpoint.c :: s/\(grant.access \& access\) != access/false/ :: a grant to read is written
 * fault: kernel/ipc/endpoint.c :: s/index >= info_grants\(arch_ipc_info\(caller\)\) \|\| // :: a grant that was not given
 * fault: kernel/ipc/endpoint.c :: s/^    reply_lock_release\(\&caller->reply\);/    ;/ :: the reply lock is kept
 * fault: kernel/ipc/endpoint.c :: s/info_data\(info\) > IPC_DATA_MAX/false/ :: more bytes than a buffer holds
 * fault: kernel/ipc/endpoint.c :: s/info_grants\(info\) > IPC_GRANTS_MAX/false/ :: more grants than a buffer holds
 */
#include "kernel.h"

#include <kstring.h>
#define memcpy(to, from, bytes) prove_copy(to, from, bytes)
#include "kernel/ipc/endpoint.c"
#undef memcpy

struct cpu *host_cpu;
uint8_t *host_ram;
const struct wait_class raised_wait;
static struct aspace caller_space, self_space;
static struct process process;
static struct thread caller, self;
static struct ipc_buffer caller_buffer, self_buffer;
static uint64_t asked, offset;
static uint32_t grant_index;

struct thread *thread_by_index(uint32_t index)
{
    (void)index;
    return any_bool() ? &caller : NULL;
}

status_t aspace_copy(struct aspace *to, uint64_t to_address, struct aspace *from,
                     uint64_t from_address, size_t bytes, size_t *done)
{
    const struct grant *grant = &caller_buffer.grants[grant_index % IPC_GRANTS_MAX];
    bool reads = from == &caller_space;
    uint64_t theirs = reads ? from_address : to_address;
    PROVE(to != from && (reads || to == &caller_space), "between the caller and the server");
    PROVE(proof_held == 1u << LOCK_RANK_reply_lock, "under the caller's reply lock");
    PROVE(bytes <= asked, "no more than was asked for");
    if (caller.wait_class != &raised_wait) {
        PROVE(grant_index < info_grants(arch_ipc_info(&caller)), "of a grant that was given");
        PROVE((grant->access & (reads ? RIGHT_READ : RIGHT_WRITE)) != 0, "with that access");
        PROVE(offset <= grant->length && bytes <= grant->length - offset && theirs >= offset &&
                  theirs - offset == grant->address,
              "inside the grant");
    }
    *done = any_u64();
    ASSUME(*done <= bytes);
    return *done == bytes ? STATUS_OK : STATUS_FAULT;
}

uint32_t cap_messages_install(struct thread *to, struct cap *const *messages, uint32_t count)
{
    (void)messages;
    PROVE(to == &caller && count == 0, "no capability comes along");
    return 0;
}

static void copy(void)
{
    uint64_t token = any_u64(), done = 0;
    grant_index = any_u32();
    offset = any_u64();
    asked = any_u64();
    for (uint32_t i = 0; i < IPC_GRANTS_MAX; i++)
        caller_buffer.grants[i] =
            (struct grant){.address = any_u64(), .length = any_u64(), .access = any_u32()};
    caller.wait_class = any_bool() ? &raised_wait : &answer_wait;
    caller.reply_worker = any_bool() ? &self : NULL;
    caller.reply_server = any_bool() ? &process : NULL;
    caller.wait_sequence = any_u64();
    self.current_reply = any_bool() ? &caller : NULL;
    status_t status =
        any_bool()
            ? sys_endpoint_reply_read(&self, token, grant_index, offset,
                                      (struct user_out){.address = any_u64(), .length = asked},
                                      &done)
            : sys_endpoint_reply_write(&self, token, grant_index, offset,
                                       (struct user_in){.address = any_u64(), .length = asked},
                                       &done);
    PROVE(done <= asked, "no more than was asked for");
    PROVE(status == STATUS_OK || done == 0, "a failure has copied nothing");
}

static void message(void)
{
    uint64_t info = any_u64();
    ASSUME(info_caps(info) == 0);
    if (any_bool())
        self.buffer = NULL;
    if ((info & INFO_EXTRA_MASK & ~INFO_NOWAIT) != 0 &&
        message_prepare(&self, info, any_u64()) != STATUS_OK)
        return;
    uint64_t seen = message_deliver(&self, &caller, info);
    PROVE(info_data(seen) <= IPC_DATA_MAX && info_grants(seen) <= IPC_GRANTS_MAX,
          "what the receiver is told is there");
}

int main(void)
{
    caller.aspace = &caller_space;
    self.aspace = &self_space;
    self.process = &process;
    caller.process = &process;
    self.buffer = &self_buffer;
    caller.buffer = any_bool() ? &caller_buffer : NULL;
    arch_ipc_set(&caller, STATUS_OK, 0, any_u64());
    ASSUME(info_grants(arch_ipc_info(&caller)) <= IPC_GRANTS_MAX);
    if (any_bool())
        copy();
    else
        message();
    PROVE(proof_held == 0, "no lock is kept");
    return 0;
}
