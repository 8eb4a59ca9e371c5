/* bounds.h - what stores may take while they are open, and must have given back afterwards
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <glib/gstdio.h>
#include <string.h>

#include "../run-length.h"

#define MAX_GROWTH      (200u << 20)
#define MAX_DESCRIPTORS 4                     /* that main contexts and libraries keep */
#define PATIENCE_US     (20 * G_USEC_PER_SEC) /* for threads that are on their way out */

typedef struct
{
  guint n_descriptors;
  gsize resident;
} Bounds;

typedef enum
{
  BOUNDS_DESCRIPTORS,
  BOUNDS_FILES, /* descriptors of files in a folder, which may have lost their names */
  BOUNDS_THREADS
} BoundsKind;

static inline gboolean
bounds_is_of (BoundsKind kind, const char *path, const char *folder)
{
  g_autofree char *text = NULL;

  if (kind == BOUNDS_DESCRIPTORS)
    return TRUE;
  if (kind == BOUNDS_THREADS)
    return g_file_get_contents (path, &text, NULL, NULL) && g_str_has_prefix (text, "dsq-");
  text = g_file_read_link (path, NULL);
  return text != NULL && g_str_has_prefix (text, folder);
}

/* Of a process, by its number or as "self". */
static inline guint
bounds_count_of (const char *process, BoundsKind kind, const char *folder)
{
  g_autofree char *where =
      g_build_filename ("/proc", process, kind == BOUNDS_THREADS ? "task" : "fd", NULL);
  g_autoptr (GDir) dir = g_dir_open (where, 0, NULL);
  const char *name;
  guint n = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path =
          g_build_filename (where, name, kind == BOUNDS_THREADS ? "comm" : NULL, NULL);

      n += bounds_is_of (kind, path, folder);
    }
  return n;
}

static inline guint
bounds_count (BoundsKind kind, const char *folder)
{
  return bounds_count_of ("self", kind, folder);
}

static inline gsize
bounds_get_resident_of (const char *process)
{
  g_autofree char *path = g_build_filename ("/proc", process, "statm", NULL);
  g_autofree char *content = NULL;
  guint64 size = 0, pages = 0;

  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpint (sscanf (content, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &size, &pages),
                   ==,
                   2);
  return (gsize) pages * 4096;
}

static inline gsize
bounds_get_resident (void)
{
  return bounds_get_resident_of ("self");
}

static inline Bounds
bounds_begin (void)
{
  return (Bounds){ bounds_count (BOUNDS_DESCRIPTORS, NULL), bounds_get_resident () };
}

/* When all stores that were opened in @folder since are closed. */
static inline void
bounds_end (const Bounds *self, const char *folder)
{
  const gint64 until = g_get_monotonic_time () + PATIENCE_US;
  guint n_clean = 0;

  /* A listing of /proc/self/task can miss a thread while another ends: one look is no proof. */
  while (n_clean < 2 && g_get_monotonic_time () < until)
    {
      if (bounds_count (BOUNDS_THREADS, NULL) + bounds_count (BOUNDS_FILES, folder) == 0)
        n_clean++;
      else
        n_clean = 0;
      g_usleep (1000);
    }
  g_assert_cmpuint (n_clean, ==, 2);
  g_assert_cmpuint (bounds_count (BOUNDS_DESCRIPTORS, NULL),
                    <=,
                    self->n_descriptors + MAX_DESCRIPTORS);
  if (!HAS_SANITIZER && g_getenv ("DSQ_SHORT") == NULL)
    g_assert_cmpuint (bounds_get_resident (), <, self->resident + MAX_GROWTH);
}

/* The log of a store that is open: SQLite never makes it shorter before it begins it anew. */
static inline void
assert_log_bounded (DsqStore *store)
{
  g_autofree char *path = NULL;
  g_autofree char *log = NULL;
  guint64 limit;
  GStatBuf info;

  g_object_get (store, "path", &path, "wal-limit", &limit, NULL);
  if (path == NULL)
    return;
  log = g_strconcat (path, "-wal", NULL);
  if (g_stat (log, &info) == 0)
    g_assert_cmpuint (info.st_size, <=, 2 * limit);
}
