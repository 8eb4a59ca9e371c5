/* dsq-cold-header.c - the header of the file: its password is changed there
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-log-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "cold/dsq-cold-writer-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-schema-private.h"

gboolean
dsq_cold_get_header (DsqColdTier *tier, DsqHeader *out_header, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqColdReader *reader = dsq_cold_readers_take (self, error);
  gboolean read;

  if (reader == NULL)
    return FALSE;
  read = dsq_cold_readers_start (self, reader, FALSE, error) &&
         dsq_schema_read_header (reader->database, out_header, error);
  dsq_cold_readers_give_back (self, reader);
  return read;
}

gboolean
dsq_cold_check_header (const DsqHeader *now, const DsqHeader *before, GError **error)
{
  if (dsq_header_equal (now, before))
    return TRUE;
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_CONFLICT,
               "Failed to change the password: somebody else changed it meanwhile");
  return FALSE;
}

gboolean
dsq_cold_replace_header (DsqColdTier *tier,
                         const DsqHeader *before,
                         const DsqHeader *after,
                         GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqDatabase *database = self->writer.database;
  DsqHeader now;

  if (!dsq_schema_read_header (database, &now, error) ||
      !dsq_cold_check_header (&now, before, error) ||
      !dsq_schema_write_header (database, after, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  return TRUE;
}

/* --- headers of before ------------------------------------------------------------------------ */

#define RENEW "start the write-ahead log anew"

static gboolean
set_log_limit (DsqColdSqlite *self, gsize n_bytes, GError **error)
{
  g_autofree char *sql = g_strdup_printf ("PRAGMA journal_size_limit = %" G_GSIZE_FORMAT, n_bytes);

  return dsq_database_run (self->writer.database, sql, RENEW, error);
}

/* The commit that begins a log writes the page of the header, for its tag. */
static gboolean
write_header_anew (DsqColdSqlite *self, GError **error)
{
  if (!dsq_cold_begin (&self->file.tier, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  return dsq_cold_commit (&self->file.tier, NULL, NULL, error);
}

static gboolean
fold (DsqColdSqlite *self, gboolean *out_is_whole, GError **error)
{
  *out_is_whole = FALSE;
  if (!dsq_cold_checkpoint (&self->file, error))
    return FALSE;
  *out_is_whole = __atomic_load_n (&self->blocked_frames, __ATOMIC_RELAXED) == 0;
  return TRUE;
}

/* The log's frames of before, and the main file's pages, hold older headers, which older passwords
 * open. The commit after a checkpoint that has brought everything in starts the log anew, unless
 * somebody reads from it, and has it cut to its own frames where none may be longer; the next
 * checkpoint brings these in. */
gboolean
dsq_cold_renew_log (DsqColdTier *tier, gboolean *out_is_renewed, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) tier;
  DsqWalStamp before, after;
  gboolean is_whole, success;

  *out_is_renewed = FALSE;
  if (!fold (self, &is_whole, error))
    return FALSE;
  if (!is_whole || !dsq_wal_index_read (&self->wal_index, &before))
    return TRUE;
  success = set_log_limit (self, 0, error) && write_header_anew (self, error);
  if (!set_log_limit (self, self->writer.database->wal_limit_bytes, success ? error : NULL) ||
      !success)
    return FALSE;
  if (!dsq_wal_index_read (&self->wal_index, &after) || dsq_wal_stamp_is_same_log (&after, &before))
    return TRUE;
  return fold (self, out_is_renewed, error);
}
