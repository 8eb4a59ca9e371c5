/* lin-session.h - threads or processes on one store, whose calls are checked
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

typedef struct
{
  DsqPersistMode mode;
  guint n_workers;
  gboolean are_processes;
  gboolean share_object; /* threads use one store object, not one each on one file */
  gboolean background;
  guint64 hot_capacity;
  guint64 warm_capacity;
  guint64 dirty_limit;
  const char *password; /* (nullable) */
  gboolean reads_stale; /* a worker at times gives what it read last in place of reading */
  guint32 seed;
  guint n_histories;
} LinSession;

#define LIN_MAX_WORKERS 3

/* Runs it to its end. How many of its histories no order explains; the first is printed. */
guint lin_session_run (const LinSession *self);
