/* tier-fixture.h - a cold tier on a file in a folder of its own, for each test
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold-support.h"
#include "cold/dsq-cold-file-private.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
  Foreign foreign;
  DsqColdTier *tier; /* (owned) */
} Fixture;

static inline void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
  fixture->tier = open_tier (fixture->path, &fixture->foreign);
}

static inline void
tear_down (Fixture *fixture, gconstpointer data)
{
  close_tier (fixture->tier);
  assert_sound (fixture->path);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}

/* Where nobody else has written: so it was told, and no file but the store's is left. */
static inline void
tear_down_alone (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = NULL;

  g_assert_cmpuint (stats_of (fixture->tier).foreign_changes, ==, 0);
  g_assert_cmpuint (fixture->foreign.n_calls, ==, 0);
  close_tier (fixture->tier);
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store");
  assert_sound (fixture->path);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}
