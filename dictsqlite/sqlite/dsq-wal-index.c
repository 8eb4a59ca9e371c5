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
 *  100   5 * 4 bytes: what of the log the readers in each slot see, all ones for nothing
 *  120   8 bytes, which are locked, not written: that of a slot, from 123 on, by its readers
 *
 * The header's checksum is walformat.html's, in the machine's byte order. A frame of the log begins
 * with its page's number, 4, the file's pages after a commit, 4, the salts and the checksum.
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

#define N_READER_SLOTS    5
#define FIRST_READER_LOCK 3

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

/* Whether nobody is in the slot: as SQLite itself finds out before it starts the log anew. Who
 * comes meanwhile tries another. */
static gboolean
is_free (sqlite3_file *file, guint slot)
{
  int lock = (int) (FIRST_READER_LOCK + slot);

  if (file->pMethods->xShmLock (file, lock, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE) != SQLITE_OK)
    return FALSE;
  file->pMethods->xShmLock (file, lock, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
  return TRUE;
}

gboolean
dsq_wal_index_find_reader (const DsqWalIndex *self,
                           DsqDatabase *database,
                           guint slot,
                           guint32 n_frames,
                           DsqWalReader *out_reader)
{
  const volatile guint32 *marks =
      (const volatile guint32 *) (self->words + 2 * DSQ_WAL_STAMP_WORDS) + 1;
  sqlite3_file *file = NULL;

  if (sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
          SQLITE_OK ||
      file == NULL || file->pMethods == NULL || file->pMethods->iVersion < 2)
    return FALSE;
  for (; slot < N_READER_SLOTS; slot++)
    {
      *out_reader = (DsqWalReader){ slot, slot == 0 ? 0 : marks[slot] };
      /* who is about to begin there may be in it before its mark is, which is the largest number */
      if ((out_reader->n_frames < n_frames || n_frames == G_MAXUINT32) && !is_free (file, slot))
        return TRUE;
    }
  return FALSE;
}

#define LOG_HEADER_SIZE   32
#define FRAME_HEADER_SIZE 24

static void
set_checksum (DsqWalStamp *stamp)
{
  guint32 words[sizeof *stamp / 4];
  guint32 one = 0, other = 0;

  memcpy (words, stamp, sizeof words);
  for (gsize i = 0; i < G_STRUCT_OFFSET (DsqWalStamp, checksum) / 4; i += 2)
    {
      one += words[i] + other;
      other += words[i + 1] + one;
    }
  stamp->checksum[0] = one;
  stamp->checksum[1] = other;
}

gboolean
dsq_wal_index_rebuild (DsqDatabase *database,
                       const DsqWalStamp *before,
                       const DsqWalStamp *log,
                       guint32 n_frames,
                       DsqWalStamp *out_stamp)
{
  gint64 page_size = (before->page_size & 0xFE00) + ((before->page_size & 1) << 16);
  sqlite3_file *file = NULL;
  guint32 frame[FRAME_HEADER_SIZE / 4];

  dsq_mutex_assert_may_wait ("a look into the log");
  if (n_frames == 0 ||
      sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) !=
          SQLITE_OK ||
      file == NULL || file->pMethods == NULL ||
      file->pMethods->xRead (file,
                             frame,
                             sizeof frame,
                             LOG_HEADER_SIZE + (n_frames - 1) * (FRAME_HEADER_SIZE + page_size)) !=
          SQLITE_OK ||
      memcmp (&frame[2], log->salts, sizeof log->salts) != 0 || frame[1] == 0)
    return FALSE;
  *out_stamp = *before;
  out_stamp->change++;
  out_stamp->n_frames = n_frames;
  out_stamp->n_pages = GUINT32_FROM_BE (frame[1]);
  memcpy (out_stamp->salts, log->salts, sizeof log->salts);
  for (guint i = 0; i < 2; i++)
    out_stamp->frame_checksum[i] = GUINT32_FROM_BE (frame[4 + i]);
  set_checksum (out_stamp);
  return TRUE;
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
