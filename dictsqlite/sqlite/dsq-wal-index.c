/* dsq-wal-index.c - the head of the write-ahead log's index, where SQLite has it mapped
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite's walformat.html, "WAL-Index File Format", in the machine's own byte order:
 *
 *   0    48 bytes: one copy of the header
 *            8 iChange   16 mxFrame   20 nPage   24 checksum of the last frame, 8
 *           32 salts, 8, as in the log: big-endian   40 checksum of the header, 8
 *   48   48 bytes: the other copy; a writer writes this one first
 *   96   4 bytes: nBackfill
 *
 * One look costs nanoseconds; PRAGMA data_version, which would tell the same, a read transaction.
 */

#include "config.h"

#include "base/dsq-mutex-private.h"
#include "sqlite/dsq-wal-index-private.h"

#define REGION_SIZE     32768
#define READ_TRIES      1000
#define READ_SPIN_TRIES 50
#define READ_WAIT_US    20

gboolean
dsq_wal_index_init (DsqWalIndex *self, DsqDatabase *database, GError **error)
{
  sqlite3_file *file = NULL;
  volatile void *region = NULL;
  int code = sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

  if (code == SQLITE_OK && (file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2))
    code = SQLITE_CANTOPEN;
  if (code == SQLITE_OK)
    code = file->pMethods->xShmMap (file, 0, REGION_SIZE, 0, &region);
  if (code == SQLITE_OK && region == NULL)
    code = SQLITE_CANTOPEN;
  if (code != SQLITE_OK)
    {
      dsq_database_set_error (database, code, "map the index of the write-ahead log", error);
      return FALSE;
    }
  self->words = (const volatile guint64 *) region;
  return TRUE;
}

gboolean
dsq_wal_index_read (const DsqWalIndex *self, DsqWalStamp *out_stamp)
{
  for (guint n_tries = 0; n_tries < READ_TRIES; n_tries++)
    {
      guint64 difference = 0;

      for (guint i = 0; i < DSQ_WAL_STAMP_WORDS; i++)
        out_stamp->words[i] = self->words[i];
      __atomic_thread_fence (__ATOMIC_SEQ_CST);
      for (guint i = 0; i < DSQ_WAL_STAMP_WORDS; i++)
        difference |= out_stamp->words[i] ^ self->words[DSQ_WAL_STAMP_WORDS + i];
      if (difference == 0)
        return out_stamp->is_init;
      if (n_tries >= READ_SPIN_TRIES)
        {
          dsq_mutex_assert_may_wait ("the index of the log");
          g_usleep (READ_WAIT_US);
        }
    }
  return FALSE;
}

gboolean
dsq_wal_stamp_is_restart_of (const DsqWalStamp *self, const DsqWalStamp *before)
{
  DsqWalStamp now = *self, then = *before;

  if (now.n_frames != 0 || GUINT32_FROM_BE (now.salts[0]) != GUINT32_FROM_BE (then.salts[0]) + 1)
    return FALSE;

  /* whatever a restart leaves as it was must be as it was */
  now.n_frames = then.n_frames;
  memcpy (now.salts, then.salts, sizeof now.salts);
  memcpy (now.checksum, then.checksum, sizeof now.checksum);
  return dsq_wal_stamp_equal (&now, &then);
}
