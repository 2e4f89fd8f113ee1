#pragma once
/* Capabilities of several objects in several processes beside a model that is plain arrays: who was made from whom, where each is, who is alive.
 * For the unit tests, and for tests/fuzz/caps.c: they choose the operations, by chance or by input. */
#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"
#include "environment.h"

#define PROCESSES 4
#define NODES 4000
#define OBJECTS 4000

enum model_place { IN_TABLE, IN_MESSAGE, AS_LEAF };

struct model_node {
    bool used, live;
    bool carried; /* revoked in a message, which its carrier has still to drop */
    enum model_place place;
    int process; /* IN_TABLE: whose; IN_MESSAGE: who sends it */
    int parent, object;
    int badge; /* 0: none */
    uint32_t rights;
    handle_t handle;
    uint64_t id;
    struct cap *cap; /* IN_MESSAGE, AS_LEAF */
};

extern struct model_node model[NODES];
extern int model_count; /* no node from there on is used */
extern int objects, destroyed, freed;
extern struct process processes[PROCESSES];
extern struct thread threads[PROCESSES];

void set_up(void);
/** All tables end. With what is still in messages, and leaves. */
void tear_down(void);
/** A new object, and its capability with all rights in the table of @process: its node; -1: the model is full. */
int create(int process);
/** A live node in a table, from the @start-th on; -1: none. */
int live_from(int start);
/** The capability of @node, which is in a table; NULL: its handle leads nowhere. */
struct cap *find(int node);
/** Revoke what was made from @node, to the end. */
bool revoke(int node);
/** One operation, on nodes and with rights and modes that @choose gives (less than @below, which is not 0): it has answered what the model says. */
bool model_step(uint32_t (*choose)(uint32_t below));
/** Each object's tree is what the model says, and so are tables, counts, badges; each node is found where it should be, and nowhere else. */
bool model_agrees(void);
/** After a grace period nothing is allocated but what the model knows, and ghosts that have descendants. */
bool model_leaks_nothing(void);
