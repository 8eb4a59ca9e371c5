/* dsq-cold-file-private.h - what a cold tier that is a file has besides
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/dsq-cold-tier-private.h"

G_BEGIN_DECLS

/* Called as the functions of DsqColdTierFuncs are. */
struct _DsqColdFileFuncs
{
  /* Ends read transactions that were kept and not used since it was last called. FALSE: there are
   * no others, and it need not be called until holds_readers is set. */
  gboolean (*tend) (DsqColdTier *self);
  /* Of a tier that only reads, by one thread at a time: the table of that name; 0 as its id: there
   * is none. */
  gboolean (*find_table) (DsqColdTier *self,
                          const guint8 *name,
                          gsize length,
                          DsqTableState *out_state,
                          GError **error);
  /* The header, at any time; and its replacement in the transaction, DSQ_ERROR_CHANGED when it is
   * no longer @before. */
  gboolean (*get_header) (DsqColdTier *self, DsqHeader *out_header, GError **error);
  gboolean (*replace_header) (DsqColdTier *self,
                              const DsqHeader *before,
                              const DsqHeader *after,
                              GError **error);
  /* Everything committed before the call is on the medium when it returns. Does nothing if all is
   * synced already. */
  gboolean (*sync) (DsqColdTier *self, GError **error);
  /* Whether enough is in the log that a checkpoint is due; with @idle, whether there is any. */
  gboolean (*wants_checkpoint) (DsqColdTier *self, gboolean idle);
  /* A guarded PASSIVE checkpoint; not being able to finish because of readers is no error. */
  gboolean (*checkpoint) (DsqColdTier *self, GError **error);
  /* Writes all that is committed into a new file: as other reads, but longer. */
  gboolean (*copy) (DsqColdTier *self, const DsqColdCopyOptions *options, GError **error);
  /* Any thread, any time before close. Copies the file as it is now to a new one at @path, which is
   * resolved; commits meanwhile are not in the copy. */
  gboolean (*backup) (DsqColdTier *self,
                      const char *path,
                      DsqColdProgressFunc progress,
                      gpointer user_data,
                      GError **error);
  /* Likewise. Reads the whole file, and appends what is wrong to @problems, of char * (owned). */
  gboolean (*check) (DsqColdTier *self, GPtrArray *problems, GError **error);
  /* Appends to @rows, of DsqColdRow, tombstones for the next rows of all tables beyond *@place,
   * which moves on; with the writer lock held, in a transaction or not. */
  gboolean (*find_oldest) (DsqColdTier *self,
                           gint64 *place,
                           guint max_rows,
                           GArray *rows,
                           gboolean *out_is_last,
                           GError **error);
  /* Bytes of the file's pages that hold something; with the writer lock held, in a transaction or
   * not. */
  gboolean (*get_used) (DsqColdTier *self, guint64 *out_bytes, GError **error);
  /* Gives free pages back to the file system, if there are so many that it is worth it: at most
   * @max_bytes, in a transaction of its own. *out_more: there is more to do. The file is shorter
   * after the next checkpoint. */
  gboolean (*shrink) (DsqColdTier *self, guint max_bytes, gboolean *out_more, GError **error);
};

/* Puts a copy of the file, which must be open nowhere (DSQ_ERROR_BUSY), in its place; the path of
 * @options is not used. */
gboolean dsq_cold_rekey_file (const char *path,
                              GBytes *old_password,
                              guint busy_timeout_ms,
                              const DsqColdCopyOptions *options,
                              GError **error);

G_END_DECLS
