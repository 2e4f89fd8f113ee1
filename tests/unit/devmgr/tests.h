#pragma once
/* The tests that main() in test_devmgr.c runs. */
#include <check.h>

void test_tree_of_aarch64(void);
void test_tree_of_riscv64(void);
void test_tree_survives_mutations(void);
void test_host_gives_what_nobody_has(void);
void test_host_gives_high_addresses_to_wide_bars_only(void);
void test_host_translates(void);
void test_bridge_windows_are_whole_megabytes(void);
