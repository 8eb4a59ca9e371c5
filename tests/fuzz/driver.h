/* driver.h - what a fuzz target shares with the driver
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The target: asserts what must hold for any input whatever. */
int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length);

/* An input from which the driver starts. */
typedef struct
{
  const char *bytes; /* (unowned) */
  size_t length;
} FuzzSeed;

#define FUZZ_SEED(literal)                                                                         \
  {                                                                                                \
    literal, sizeof (literal) - 1                                                                  \
  }

extern const FuzzSeed fuzz_seeds[];
extern const size_t n_fuzz_seeds;
