/* file-fixture.h - the path of a file in a folder of its own, for each test
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold-support.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
} Fixture;

static inline void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
}

static inline void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_free (fixture->path);
  remove_folder (fixture->folder);
}
