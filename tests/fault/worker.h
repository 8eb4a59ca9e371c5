/* worker.h - a thread that changes keys of its own by all verbs, and what must be left of that
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

#define WORKER_N_KEYS 10 /* the last two in a table of its own */

/* What its keys hold, 0 where they are missing. */
typedef struct
{
  gint64 values[WORKER_N_KEYS];
} WorkerState;

typedef struct
{
  WorkerState base; /* before the first call */
  guint64 first;    /* number of that */
  guint n_done;     /* (atomic) calls that returned since */
  guint n_kept;     /* (atomic) of them that are in the file, whoever dies */
} WorkerLog;

/* In memory that its process shares with the one that looks at what is left of it. */
typedef struct
{
  guint number;
  guint32 seed;
  DsqPersistMode mode;
  WorkerLog logs[2];
  guint at;      /* (atomic) which of them it is, whatever the other holds */
  guint64 n_all; /* (atomic) calls that ever returned */
  gint64 mark;   /* (atomic) that others must find, or a later one */
  gboolean ends; /* (atomic) as soon as a call has returned */
} Worker;

guint worker_get_n_done (const Worker *self);

/* Makes calls until one fails, or it is to end. */
void worker_run (Worker *self, DsqStore *store, GError **error);

/* When its store was closed in good order: all of its calls are in the file. */
void worker_keep (Worker *self);

/* Reads what it told others last, whatever it does meanwhile. */
gboolean worker_check_mark (const Worker *self, DsqStore *store, GError **error);

/* When its process is no more: FALSE where the store does not hold its keys as they were after
 * some call that was made, and not before those that are kept. What is found is the new base. */
gboolean worker_settle (Worker *self, DsqStore *store, GError **error);
