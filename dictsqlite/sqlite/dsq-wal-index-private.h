/* dsq-wal-index-private.h - the head of the write-ahead log's index, where SQLite has it mapped
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

#define DSQ_WAL_STAMP_WORDS 6

/* One copy of the header, whole: equal stamps, equal content of the file. Never count by one of its
 * fields: recovery resets the change counter, a restart of the log draws new salts. */
typedef struct
{
  guint64 words[DSQ_WAL_STAMP_WORDS];
} DsqWalStamp;

/* Memory shared with every process that has the file; valid while the connection is open. */
typedef struct
{
  const volatile guint64
      *words; /* (unowned) both copies of the header, then the checkpoint's part */
} DsqWalIndex;

/* @database must have read from the file in WAL mode. */
gboolean dsq_wal_index_init (DsqWalIndex *self, DsqDatabase *database, GError **error);

/* FALSE when both copies did not agree for a while: a process died between writing one and the
 * other. The next read through SQLite mends that. */
gboolean dsq_wal_index_read (const DsqWalIndex *self, DsqWalStamp *out_stamp);

/* Frames at the log's beginning that are in the file already. */
guint32 dsq_wal_index_get_backfilled (const DsqWalIndex *self);

/* Frames in the log. */
guint32 dsq_wal_stamp_get_frames (const DsqWalStamp *self);
gboolean dsq_wal_stamp_equal (const DsqWalStamp *self, const DsqWalStamp *other);
/* Whether both are of the log since one restart: frames are only appended in between. */
gboolean dsq_wal_stamp_is_same_log (const DsqWalStamp *self, const DsqWalStamp *other);
/* Whether @self is @before with nothing but the log started anew, so that the content is the same.
 */
gboolean dsq_wal_stamp_is_restart_of (const DsqWalStamp *self, const DsqWalStamp *before);

G_END_DECLS
