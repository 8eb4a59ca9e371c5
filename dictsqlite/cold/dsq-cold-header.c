/* dsq-cold-header.c - the header of the file: its password is changed there
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-copies-private.h"
#include "cold/dsq-cold-readers-private.h"
#include "cold/dsq-cold-sqlite-private.h"
#include "dsq-error.h"
#include "sqlite/dsq-schema-private.h"

gboolean
dsq_cold_get_header (DsqColdFile *file, DsqHeader *out_header, GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
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
dsq_cold_replace_header (DsqColdFile *file,
                         const DsqHeader *before,
                         const DsqHeader *after,
                         GError **error)
{
  DsqColdSqlite *self = (DsqColdSqlite *) file;
  DsqDatabase *database = self->writer.database;
  DsqHeader now;

  if (!dsq_schema_read_header (database, &now, error))
    return FALSE;
  if (!dsq_header_equal (&now, before))
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_CHANGED,
                   "Failed to change the password: somebody else changed it meanwhile");
      return FALSE;
    }
  if (!dsq_schema_write_header (database, after, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  return TRUE;
}
