/* dsq-cold-file-private.h - what a cold tier that is a file has besides
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

/* Called as the functions of DsqColdTierFuncs are. */
typedef struct
{
  /* Whether reads may keep their transactions beyond the call, which they may not at first: from
   * then on tend() is called every few milliseconds while holds_readers is set. */
  void (*set_may_hold) (DsqColdFile *self, gboolean may_hold);
  /* The page cache of each connection, and the log, may be as large as that from now on, unless
   * they may be larger already. One call at a time. */
  void (*widen) (DsqColdFile *self, gsize cache_bytes, gsize wal_limit_bytes);
  /* Ends those that were kept and not used since it was last called, or that hold up others. FALSE:
   * there are no others, and it need not be called until holds_readers is set. */
  gboolean (*tend) (DsqColdFile *self);
  /* Everything committed before the call is on the medium when it returns. Does nothing if all is
   * synced already. */
  gboolean (*sync) (DsqColdFile *self, GError **error);
  /* Whether enough is in the log that a checkpoint is due; with @idle, whether there is any. */
  gboolean (*wants_checkpoint) (DsqColdFile *self, gboolean idle);
  /* A guarded PASSIVE checkpoint; not being able to finish because of readers is no error. */
  gboolean (*checkpoint) (DsqColdFile *self, GError **error);
  /* Appends to @rows, of DsqColdRow, tombstones for the next rows of all tables beyond *@place,
   * which moves on; with the writer lock held, in a transaction or not. */
  gboolean (*find_oldest) (DsqColdFile *self,
                           gint64 *place,
                           guint max_rows,
                           GArray *rows,
                           gboolean *out_is_last,
                           GError **error);
  /* Bytes of the file's pages that hold something; with the writer lock held, in a transaction or
   * not. */
  gboolean (*get_used) (DsqColdFile *self, guint64 *out_bytes, GError **error);
  /* Gives free pages back to the file system, if there are so many that it is worth it: at most
   * @max_bytes, in a transaction of its own. *out_more: there is more to do. The file is shorter
   * after the next checkpoint. */
  gboolean (*shrink) (DsqColdFile *self, guint max_bytes, gboolean *out_more, GError **error);
} DsqColdFileFuncs;

/* A cold tier that is a file, and lasts as soon as it is synced. */
struct _DsqColdFile
{
  DsqColdTier tier;
  const DsqColdFileFuncs *funcs;
  gboolean holds_readers; /* (atomic) some have been kept */
  gboolean is_failed;     /* (atomic) a sync has failed: nothing is committed or synced any more */
};

/* Puts a copy of the file, which must be open nowhere (DSQ_ERROR_BUSY), in its place; the path of
 * @options is not used. */
gboolean dsq_cold_rekey_file (const char *path,
                              GBytes *old_password,
                              guint busy_timeout_ms,
                              const DsqColdCopyOptions *options,
                              GError **error);

G_END_DECLS
