/* dsq-store-file-read.c - from a path to a verified connection that only reads
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dsq-error.h"
#include "sqlite/dsq-location-private.h"
#include "sqlite/dsq-schema-private.h"
#include "sqlite/dsq-statement-private.h"
#include "sqlite/dsq-store-file-private.h"

static gboolean
refuse (GError **error, DsqError code, const char *cause)
{
  g_set_error (error, DSQ_ERROR, (int) code, "Failed to open the store: %s", cause);
  return FALSE;
}

static gboolean
check_location (const char *path, GError **error)
{
  DsqLocation location;

  if (!dsq_location_inspect (path, TRUE, &location, NULL, error))
    return FALSE;
  if (location == DSQ_LOCATION_MISSING)
    return refuse (error, DSQ_ERROR_NOT_FOUND, "there is no such file");
  return location == DSQ_LOCATION_STORE ||
         refuse (error, DSQ_ERROR_FORMAT, "the file is empty, and would have to be written");
}

/* Reading a file in WAL mode takes the log's index, which stands beside it. Where there is none and
 * none can be made nobody else has the file open, and it is read as one that does not change. */
static gboolean
choose_role (const char *path, DsqDatabaseRole *out_role, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  *out_role = DSQ_DATABASE_READ;
  if (dsq_location_has_index (path) || faccessat (AT_FDCWD, folder, W_OK, AT_EACCESS) == 0)
    return TRUE;
  *out_role = DSQ_DATABASE_READ_UNCHANGING;
  return dsq_location_get_wal_size (path) <= 0 ||
         refuse (error,
                 DSQ_ERROR_READ_ONLY,
                 "its write-ahead log cannot be read in a folder that cannot be written");
}

static gboolean
check_journal_mode (DsqDatabase *database, GError **error)
{
  g_auto (DsqStatement) statement = { NULL };
  DsqStep step;

  if (!dsq_statement_prepare (&statement,
                              database,
                              "PRAGMA journal_mode",
                              "read the journal mode of the file",
                              error))
    return FALSE;
  step = dsq_statement_step (&statement, error);
  if (step == DSQ_STEP_FAILED)
    return FALSE;
  return (step == DSQ_STEP_ROW &&
          g_strcmp0 ((const char *) sqlite3_column_text (statement.handle, 0), "wal") == 0) ||
         refuse (error,
                 DSQ_ERROR_READ_ONLY,
                 "another program has put it out of WAL mode; open it for writing once");
}

static DsqDatabase *
open_as (const char *path,
         DsqDatabaseRole role,
         const DsqDatabaseTuning *tuning,
         const DsqStoreLock *lock,
         DsqStoreIdentity *identity,
         GError **error)
{
  g_autoptr (DsqDatabase) database = dsq_database_open (path, role, tuning->busy_timeout_ms, error);

  if (database == NULL || !dsq_store_file_verify (database, lock, identity, error) ||
      (role == DSQ_DATABASE_READ && !check_journal_mode (database, error)) ||
      !dsq_database_tune (database, tuning, error))
    return NULL;
  return g_steal_pointer (&database);
}

/* Whether there was no room for an index, which shows only when SQLite makes it. */
static gboolean
lacks_room (const char *path, const GError *error)
{
  return (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_NO_SPACE) ||
          g_error_matches (error, DSQ_ERROR, DSQ_ERROR_TOO_LARGE)) &&
         !dsq_location_has_filled_index (path) && dsq_location_get_wal_size (path) <= 0;
}

DsqDatabase *
dsq_store_file_open_for_reading (const char *path,
                                 const DsqDatabaseTuning *tuning,
                                 const DsqStoreLock *lock,
                                 DsqStoreIdentity *out_identity,
                                 DsqDatabaseRole *out_role,
                                 GError **error)
{
  g_autoptr (GError) local_error = NULL;
  DsqDatabase *database;

  memset (out_identity, 0, sizeof *out_identity);
  if (!check_location (path, error) || !choose_role (path, out_role, error))
    return NULL;
  database = open_as (path, *out_role, tuning, lock, out_identity, &local_error);
  if (database == NULL && *out_role == DSQ_DATABASE_READ && lacks_room (path, local_error))
    {
      g_clear_error (&local_error);
      *out_role = DSQ_DATABASE_READ_UNCHANGING;
      database = open_as (path, *out_role, tuning, lock, out_identity, &local_error);
    }
  if (database == NULL)
    {
      g_clear_pointer (&out_identity->keys, dsq_keys_free);
      g_propagate_error (error, g_steal_pointer (&local_error));
    }
  return database;
}
