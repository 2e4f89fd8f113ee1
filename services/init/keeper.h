#pragma once
/* What init keeps for the service manager (idl/keeper.idl). */
#include <idl/keeper.h>

extern const struct keeper_ops keeper_ops;
