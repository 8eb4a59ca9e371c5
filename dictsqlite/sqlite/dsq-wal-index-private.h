/* dsq-wal-index-private.h - the head of the write-ahead log's index, where SQLite has it mapped
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

#define DSQ_WAL_STAMP_WORDS 6

/* One copy of the header, whole: equal stamps, equal content of the file. Never count by one of its
 * fields: recovery resets the change counter, a restart of the log draws new salts. */
typedef union
{
  guint64 words[DSQ_WAL_STAMP_WORDS];
  struct
  {
    guint32 version;
    guint32 unused;
    guint32 change;
    guint8 is_init;
    guint8 big_endian_checksum;
    guint16 page_size;
    guint32 n_frames; /* in the log */
    guint32 n_pages;
    guint32 frame_checksum[2];
    guint32 salts[2]; /* as in the log: big-endian */
    guint32 checksum[2];
  };
} DsqWalStamp;

G_STATIC_ASSERT (sizeof (DsqWalStamp) == DSQ_WAL_STAMP_WORDS * sizeof (guint64));

/* Memory shared with every process that has the file; valid while the connection is open. */
typedef struct
{
  const volatile guint64 *words; /* (unowned) two copies of the header, the checkpoint's part */
} DsqWalIndex;

/* @database must have read from the file in WAL mode. */
gboolean dsq_wal_index_init (DsqWalIndex *self, DsqDatabase *database, GError **error);

/* FALSE when both copies did not agree for a while: a process died between writing one and the
 * other. The next read through SQLite mends that. */
gboolean dsq_wal_index_read (const DsqWalIndex *self, DsqWalStamp *out_stamp);

/* Frames at the log's beginning that are in the file already. */
static inline guint32
dsq_wal_index_get_backfilled (const DsqWalIndex *self)
{
  return *(const volatile guint32 *) (self->words + 2 * DSQ_WAL_STAMP_WORDS);
}

/* The header as it was after a commit of @database, which found it as @before, and whose last frame
 * is the log's @n_frames: from that frame, when others have committed since. FALSE: the log is no
 * longer that of @log. */
gboolean dsq_wal_index_rebuild (DsqDatabase *database,
                                const DsqWalStamp *before,
                                const DsqWalStamp *log,
                                guint32 n_frames,
                                DsqWalStamp *out_stamp);

/* Whom a checkpoint, or the start of a new log, has to wait for. */
typedef struct
{
  guint slot;
  guint32 n_frames; /* of the log, as the reader sees it; 0 where it reads from the file alone */
} DsqWalReader;

/* Looks through the slots of readers from @slot on for one that somebody, in any process, is in and
 * that sees less than @n_frames of the log, all it may be of G_MAXUINT32. @database is another
 * connection than the one that reads or writes: it must be in none. */
gboolean dsq_wal_index_find_reader (const DsqWalIndex *self,
                                    DsqDatabase *database,
                                    guint slot,
                                    guint32 n_frames,
                                    DsqWalReader *out_reader);

static inline gboolean
dsq_wal_stamp_equal (const DsqWalStamp *self, const DsqWalStamp *other)
{
  return memcmp (self, other, sizeof *self) == 0;
}

/* Whether both are of the log since one restart: frames are only appended in between. */
static inline gboolean
dsq_wal_stamp_is_same_log (const DsqWalStamp *self, const DsqWalStamp *other)
{
  return memcmp (self->salts, other->salts, sizeof self->salts) == 0;
}

/* Whether @self is @before with nothing but the log started anew, so that the content is the same.
 */
gboolean dsq_wal_stamp_is_restart_of (const DsqWalStamp *self, const DsqWalStamp *before);

G_END_DECLS
