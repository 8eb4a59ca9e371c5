/* family.h - processes of workers on one file, which are killed and looked after
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/types.h>

#include "worker.h"

#define FAMILY_MAX_PROCESSES 3
#define FAMILY_MAX_THREADS   3
#define FAMILY_N_WORKERS     (FAMILY_MAX_PROCESSES * FAMILY_MAX_THREADS)
#define FAMILY_WAL_LIMIT     ((guint64) 1 << 20)

typedef struct
{
  char *folder;                          /* (owned) */
  char *path;                            /* (owned) of the store */
  const char *password;                  /* (unowned) (nullable) */
  Worker *workers;                       /* (owned) shared with the processes */
  pid_t processes[FAMILY_MAX_PROCESSES]; /* 0: none */
  gint64 excused_until;                  /* monotonic time, up to which the log may be too long */
} Family;

void family_init (Family *self, guint32 seed, const char *password);
void family_clear (Family *self);

DsqStore *family_open (const Family *self,
                       DsqPersistMode mode,
                       gboolean background,
                       guint64 hot_capacity,
                       GError **error);

/* In a child, before all else: it lives no longer than @parent, which may be dead by now. */
void family_end_with (pid_t parent);

/* A process of so many threads, in whatever mode; where there is @prepare it is called in it before
 * it opens. */
void family_start (Family *self,
                   guint process,
                   GRand *random,
                   void (*prepare) (gconstpointer data),
                   gconstpointer data);
/* TRUE where it has ended by itself, by an error that it was to meet. */
gboolean family_kill (Family *self, guint process);

/* When it lives no more: all that it was told to be there is there. */
void family_settle_process (Family *self, guint process);

/* When none lives; and whether check() and SQLite find the file sound. */
void family_settle (Family *self, gboolean checks);

guint64 family_count_calls (const Family *self);

/* How long the log is, which is no more than it may be, unless that is excused; an excuse that has
 * an end is over when the log is found to be no longer. */
guint64 family_check_log (Family *self);
