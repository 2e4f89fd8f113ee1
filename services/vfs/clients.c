/* Who has how much of what there is for all: sessions, open files, calls that wait.
 *
 * A client is whoever connects with one badge: a service, or the part of the shell's programs that it has a capability of its own for.
 * One half of all is kept: each of the clients that there may be finds its part of that, however many greedy ones there are. The other half is
 * for who wants more: one more as long as the client has less of it than is left. */
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

/* What each client finds, and what there is for all together beyond that. */
static uint32_t own_part(const struct clients *clients, enum client_resource what)
{
    return clients->most[what] / 2 / CLIENTS_MAX;
}

static uint32_t common(const struct clients *clients, enum client_resource what)
{
    return clients->most[what] - own_part(clients, what) * CLIENTS_MAX;
}

bool client_take(struct clients *clients, struct client *client, enum client_resource what)
{
    const uint32_t own = own_part(clients, what);
    if (client->used[what] >= own) {
        if (client->used[what] - own >= common(clients, what) - clients->more[what]) {
            return false;
        }
        clients->more[what]++;
    }
    client->used[what]++;
    return true;
}

void client_give_back(struct clients *clients, struct client *client, enum client_resource what)
{
    client->used[what]--;
    clients->more[what] -= client->used[what] >= own_part(clients, what);
}
