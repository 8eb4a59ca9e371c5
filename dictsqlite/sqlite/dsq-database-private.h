/* dsq-database-private.h - one connection to the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sqlite3.h>

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"

G_BEGIN_DECLS

typedef enum
{
  DSQ_DATABASE_READ,            /* writes nothing to the file */
  DSQ_DATABASE_READ_UNCHANGING, /* the same, and neither looks for a log nor locks anything */
  DSQ_DATABASE_WRITE,           /* the file must exist */
  DSQ_DATABASE_WORK,            /* the same, and nobody else knows of it: a work file's path */
} DsqDatabaseRole;

typedef struct
{
  gboolean full_durability;
  guint busy_timeout_ms;
  gsize cache_bytes;     /* (atomic) may become larger, as the next */
  gsize wal_limit_bytes; /* (atomic) */
} DsqDatabaseTuning;

typedef struct _DsqDatabase DsqDatabase;

/* A connection, used by one thread at a time: SQLite's own mutex is off. */
struct _DsqDatabase
{
  sqlite3 *handle;         /* (owned) */
  gint64 busy_since;       /* when the wait under way began, see dsq_patience_begin() */
  gint64 free_at;          /* when its last transaction that writes ended, monotonic */
  gint64 *told_since;      /* (unowned) (nullable) where a wait says that, see DsqCallPlace */
  gboolean is_unstoppable; /* what is run goes to its end, though the call be cancelled */
  gboolean is_watched;     /* that is looked at every few steps of SQLite's machine */
  guint64 n_run;           /* of these, by what is run to its next row */
  gboolean is_endless;     /* that are too many for any file of this size */
  guint busy_timeout_ms;   /* of a call that has not told its own */
  guint longest_wait_ms;   /* whatever the call's is */
  guint cache_factor;      /* of what its tuning says */
  gsize cache_bytes;       /* of the tuning, when its sizes were set, and the next */
  gsize wal_limit_bytes;
  gboolean found_full; /* the medium; whoever looks at it takes it back */
  guint64 stamp;       /* constant: of the process that opened it */
  guint n_looks;       /* at the deadline, since it was set */
  gint64 deadline;     /* monotonic time at which a verification gives up, 0 for never */

  /* of dsq-inherited.c, with its lock */
  DsqDatabase *next;     /* (unowned) (nullable) */
  DsqDatabase *previous; /* (unowned) (nullable) */
  guint64 device;        /* constant: of its file */
  guint64 inode;         /* constant */
  gboolean has_let_go;   /* inherited, and SQLite's books forget its locks */
};

/* Opens @path, which is absolute, with its folder resolved, and never taken for a URI, unless what
 * stands beside it is refused. Nothing is read from the file yet. */
DsqDatabase *
dsq_database_open (const char *path, DsqDatabaseRole role, guint busy_timeout_ms, GError **error);

/* A private database in memory, for comparison. */
DsqDatabase *dsq_database_open_scratch (GError **error);

/* A private database in a temporary file, which nobody else can open and which is unlinked as soon
 * as it is made. */
DsqDatabase *dsq_database_open_private (GError **error);

/* Sets what lasts as long as the connection; reads the schema. */
gboolean dsq_database_tune (DsqDatabase *self, const DsqDatabaseTuning *tuning, GError **error);
gboolean
dsq_database_set_sizes (DsqDatabase *self, const DsqDatabaseTuning *tuning, GError **error);

/* For one that was tuned: takes the sizes that the tuning has by now. */
static inline gboolean
dsq_database_tune_sizes (DsqDatabase *self, const DsqDatabaseTuning *tuning, GError **error)
{
  return G_LIKELY (self->cache_bytes == __atomic_load_n (&tuning->cache_bytes, __ATOMIC_RELAXED) &&
                   self->wal_limit_bytes ==
                       __atomic_load_n (&tuning->wal_limit_bytes, __ATOMIC_RELAXED)) ||
         dsq_database_set_sizes (self, tuning, error);
}

/* Whether closing, when nobody else has the file, folds the log in and removes it: off at first. */
void dsq_database_set_fold_on_close (DsqDatabase *self, gboolean fold);

/* Finalize every statement first. One that a fork inherited is left as it is. */
void dsq_database_close (DsqDatabase *self);

gboolean dsq_database_refuse_inherited (const char *purpose, GError **error);

/* FALSE in the child of a fork, with an error unless @purpose is NULL: the connection must not be
 * touched. */
static inline gboolean
dsq_database_check_own (const DsqDatabase *self, const char *purpose, GError **error)
{
  return G_LIKELY (self->stamp == dsq_fork_get_stamp ()) ||
         dsq_database_refuse_inherited (purpose, error);
}

/* Runs @sql, which gives no rows. @purpose is a verb and its object, for the error. */
gboolean dsq_database_run (DsqDatabase *self, const char *sql, const char *purpose, GError **error);

/* Runs @sql and gives the integer in its first row's first column. */
gboolean dsq_database_get_number (DsqDatabase *self,
                                  const char *sql,
                                  const char *purpose,
                                  gint64 *out_number,
                                  GError **error);

/* Sets the journal mode WAL, if it is another, waiting for others up to the busy timeout; @self has
 * read from the file. */
gboolean dsq_database_set_wal_mode (DsqDatabase *self, GError **error);
/* Bytes of the file and its log, as far as they tell. */
guint64 dsq_database_measure (DsqDatabase *self);
/* Whether all files of one that was opened to be written can be. */
gboolean dsq_database_check_writable (DsqDatabase *self, GError **error);

/* Gives up what is run from now on after @milliseconds, or when it is much more work than to verify
 * a store, as DSQ_ERROR_FORMAT; 0 for never. While a
 * deadline stands, no row longer than a few MiB is read. */
void dsq_database_set_deadline (DsqDatabase *self, guint milliseconds);

void dsq_database_watch_call (DsqDatabase *self);

/* A call begins to use it. Where it can be cancelled that is looked at every few rows, and ends the
 * wait for a lock and what is run. */
static inline void
dsq_database_begin_call (DsqDatabase *self)
{
  if (G_UNLIKELY (self->is_watched != (dsq_call_state.cancellable != NULL)))
    dsq_database_watch_call (self);
}

/* Says what @code, an extended result code that @self just gave, means to the user. */
void dsq_database_set_error (DsqDatabase *self, int code, const char *purpose, GError **error);

/* The error of a system call. */
void dsq_database_set_system_error (int system_errno, const char *purpose, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqDatabase, dsq_database_close)

G_END_DECLS
