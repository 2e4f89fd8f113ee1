/* Who has how much of what there is for all: sessions, open files, calls that wait.
 *
 * A client is whoever connects with one badge: a service, or the part of the shell's programs that it has a capability of its own for.
 * It gets one more as long as it has less than what is left. So one greedy client has half at most, two have a third each, and whoever comes
 * then, and has nothing, still gets its first ones; who wants little never notices. */
#include "server.h"

static bool is_idle(const struct client *client)
{
    uint32_t used = 0;
    for (size_t i = 0; i < CLIENT_RESOURCES; i++) {
        used += client->used[i];
    }
    return used == 0;
}

struct client *client_find(struct clients *clients, uint64_t badge)
{
    struct client *idle = NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients->clients[i];
        if (is_idle(client)) {
            idle = idle ? idle : client;
        } else if (client->badge == badge) {
            return client;
        }
    }
    if (idle) {
        idle->badge = badge;
    }
    return idle;
}

bool client_take(struct clients *clients, struct client *client, enum client_resource what)
{
    if (client->used[what] >= clients->most[what] - clients->used[what]) {
        return false;
    }
    client->used[what]++;
    clients->used[what]++;
    return true;
}

void client_give_back(struct clients *clients, struct client *client, enum client_resource what)
{
    client->used[what]--;
    clients->used[what]--;
}
