/* dsq-store-file.c - from a path to a verified connection
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>
#include <unistd.h>

#include "dsq-error.h"
#include "sqlite/dsq-location-private.h"
#include "sqlite/dsq-new-file-private.h"
#include "sqlite/dsq-schema-private.h"
#include "sqlite/dsq-store-file-private.h"
#include "sqlite/dsq-work-file-private.h"

/* Times that the file may vanish between two looks. */
#define MAKE_TRIES 16

/* The writer's page cache of an encrypted file, as a multiple of a plain one's. */
#define SEALED_CACHE_FACTOR 4

/* A header for a new file, made once however often it is tried. */
static gboolean
make_header (const DsqStoreLock *lock, DsqStoreIdentity *identity, GError **error)
{
  return identity->header.length > 0 ||
         dsq_header_init (&identity->header, lock->password, &lock->cost, &identity->keys, error);
}

/* A connection to a file at @path that is a store by its first bytes. */
static DsqDatabase *
make_if_missing (const char *path,
                 guint busy_timeout_ms,
                 const DsqStoreLock *lock,
                 DsqStoreIdentity *identity,
                 GError **error)
{
  DsqDatabase *reader;

  for (guint n_tries = 0; n_tries < MAKE_TRIES; n_tries++)
    {
      DsqLocation location;
      g_autoptr (GError) local_error = NULL;

      if (!dsq_location_inspect (path, FALSE, &location, &reader, &local_error))
        {
          /* removed between the look and the opening */
          if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_NOT_FOUND))
            continue;
          g_propagate_error (error, g_steal_pointer (&local_error));
          return NULL;
        }
      if (location == DSQ_LOCATION_STORE)
        return reader;
      if (!make_header (lock, identity, error) ||
          !dsq_new_file_publish (path, &identity->header, busy_timeout_ms, error))
        return NULL;
    }
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_FAILED,
               "Failed to create the store: the file is removed again and again");
  return NULL;
}

DsqStoreBeside
dsq_store_file_look_beside (const char *path)
{
  return (DsqStoreBeside){ dsq_location_get_wal_size (path) >= 0, dsq_location_has_index (path) };
}

/* While the file is locked whole nobody else has its log and index, and SQLite keeps the index in
 * memory. Closing such a connection removes a log with nothing in it. */
void
dsq_store_file_remove_traces (const char *path, DsqStoreBeside before)
{
  DsqStoreBeside now = dsq_store_file_look_beside (path);
  g_autoptr (DsqDatabase) database = NULL;
  g_autofree char *index = NULL;
  int level = SQLITE_LOCK_NONE;
  gint64 ignored;

  if (now.log <= before.log && now.index <= before.index)
    return;
  database = dsq_database_open (path, DSQ_DATABASE_WRITE, 0, NULL);
  if (database == NULL)
    return;
  /* others that have it will see to that */
  database->longest_wait_ms = 0;
  dsq_database_set_deadline (database, DSQ_SCHEMA_VERIFY_MS);
  dsq_database_run (database, "PRAGMA locking_mode = EXCLUSIVE", "open the store", NULL);
  /* in a damaged file this fails, with the lock held */
  dsq_database_get_number (database,
                           "SELECT EXISTS (SELECT 1 FROM sqlite_schema)",
                           "open the store",
                           &ignored,
                           NULL);
  if (sqlite3_file_control (database->handle, "main", SQLITE_FCNTL_LOCKSTATE, &level) !=
          SQLITE_OK ||
      level != SQLITE_LOCK_EXCLUSIVE)
    return;
  index = g_strconcat (path, "-shm", NULL);
  if (!before.index)
    unlink (index);
  dsq_database_set_fold_on_close (database, !before.log && dsq_location_get_wal_size (path) == 0);
}

gboolean
dsq_store_file_verify (DsqDatabase *database,
                       const DsqStoreLock *lock,
                       DsqStoreIdentity *identity,
                       GError **error)
{
  DsqHeader header;

  if (!dsq_schema_verify (database, &header, error))
    return FALSE;
  if (dsq_header_equal (&header, &identity->header))
    return TRUE;
  g_clear_pointer (&identity->keys, dsq_keys_free);
  identity->header.length = 0;
  if (!dsq_header_check_cost (&header, lock->limit, error) ||
      !dsq_header_unlock (&header, lock->password, &identity->keys, error))
    return FALSE;
  identity->header = header;
  return TRUE;
}

/* Sealed rows are some three times as large as short plain ones, and stand in their index in no
 * order: with a cache that is too small for it, a flush reads and writes its pages again and again
 * (100,000 overwritten rows take twice the time). */
static gboolean
tune_writer (DsqDatabase *writer,
             const DsqDatabaseTuning *tuning,
             gboolean is_sealed,
             GError **error)
{
  if (is_sealed)
    writer->cache_factor = SEALED_CACHE_FACTOR;
  return dsq_database_tune (writer, tuning, error);
}

/* The file may be replaced between the opening of one connection and that of the next, so each
 * verifies what it has. The reader stays until the writer has the log open, so that the log's index
 * is not built twice. */
static DsqDatabase *
open_verified (const char *path,
               DsqDatabase *reader,
               const DsqDatabaseTuning *tuning,
               const DsqStoreLock *lock,
               DsqStoreIdentity *identity,
               GError **error)
{
  g_autoptr (DsqDatabase) writer = NULL;

  reader->busy_timeout_ms = tuning->busy_timeout_ms;
  if (!dsq_store_file_verify (reader, lock, identity, error))
    return NULL;

  writer = dsq_database_open (path, DSQ_DATABASE_WRITE, tuning->busy_timeout_ms, error);
  if (writer == NULL)
    return NULL;
  if (!dsq_store_file_verify (writer, lock, identity, error) ||
      !dsq_database_set_wal_mode (writer, error) ||
      !tune_writer (writer, tuning, identity->keys != NULL, error))
    return NULL;
  return g_steal_pointer (&writer);
}

DsqDatabase *
dsq_store_file_open (const char *path,
                     const DsqDatabaseTuning *tuning,
                     const DsqStoreLock *lock,
                     DsqStoreIdentity *out_identity,
                     DsqDatabase **out_reader,
                     GError **error)
{
  DsqDatabase *reader;
  DsqDatabase *writer = NULL;

  memset (out_identity, 0, sizeof *out_identity);
  dsq_work_file_remove_left (path);
  reader = make_if_missing (path, tuning->busy_timeout_ms, lock, out_identity, error);
  if (reader != NULL)
    {
      DsqStoreBeside beside = dsq_store_file_look_beside (path);

      writer = open_verified (path, reader, tuning, lock, out_identity, error);
      if (writer != NULL)
        *out_reader = g_steal_pointer (&reader);
      g_clear_pointer (&reader, dsq_database_close);
      if (writer == NULL)
        dsq_store_file_remove_traces (path, beside);
    }
  if (writer == NULL)
    g_clear_pointer (&out_identity->keys, dsq_keys_free);
  return writer;
}
