/* store-support.h - a store in a folder of its own, for each test
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "folder-support.h"

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) */
} Fixture;

/* Its tiers are small, so that what is in it is met in each of them. */
static inline DsqStore *
open_small_store (const char *folder, DsqPersistMode mode, gboolean background)
{
  return OPEN_IN (folder,
                  "persist-mode",
                  mode,
                  "hot-capacity",
                  (guint64) 5,
                  "warm-capacity",
                  (guint64) 4096,
                  "flush-interval",
                  2u,
                  "background",
                  background);
}

static inline void
tear_down (Fixture *fixture, gconstpointer mode)
{
  close_store (fixture->store);
  remove_folder (fixture->folder);
}
