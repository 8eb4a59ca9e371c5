/* dsq-server-upkeep.c - copies of a store on a server, its header, and whether it is sound
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "cold/dsq-cold-copies-private.h"
#include "cold/postgresql/dsq-server-funcs-private.h"
#include "cold/postgresql/dsq-server-source-private.h"
#include "sqlite/dsq-location-private.h"

/* --- copies ----------------------------------------------------------------------------------- */

gboolean
dsq_server_copy (DsqColdTier *tier, const DsqColdCopyOptions *options, GError **error)
{
  g_autofree char *path = dsq_location_resolve (options->path, error);
  DsqServerSource source;
  DsqHeader header;
  gboolean copied;

  if (path == NULL || !dsq_server_source_open (&source, (DsqColdServer *) tier, &header, error))
    return FALSE;
  copied =
      dsq_cold_check_copy_password (&header, options, error) &&
      dsq_cold_copy_source (&source.source, &header, NULL, path, DSQ_NEW_FILE_FAIL, options, error);
  dsq_server_source_close (&source);
  return copied;
}

gboolean
dsq_server_backup (DsqColdTier *tier,
                   const char *given_path,
                   DsqColdProgressFunc progress,
                   gpointer user_data,
                   GError **error)
{
  g_autofree char *path = dsq_location_resolve (given_path, error);
  DsqServerSource source;
  DsqHeader header;
  gboolean copied;

  if (path == NULL || !dsq_server_source_open (&source, (DsqColdServer *) tier, &header, error))
    return FALSE;
  copied = dsq_cold_backup_source (&source.source, &header, path, progress, user_data, error);
  dsq_server_source_close (&source);
  return copied;
}

/* --- whether it is sound ---------------------------------------------------------------------- */

gboolean
dsq_server_check (DsqColdTier *tier, GPtrArray *problems, GError **error)
{
  DsqServerSource source;
  DsqHeader header;
  gboolean checked;

  if (!dsq_server_source_open (&source, (DsqColdServer *) tier, &header, error))
    return FALSE;
  checked = dsq_cold_check_source (&source.source, problems, error);
  dsq_server_source_close (&source);
  return checked;
}

/* --- the header ------------------------------------------------------------------------------- */

/* @connection is NULL outside of the transaction. */
static gboolean
read_header (DsqColdServer *self,
             DsqServerConnection *connection,
             DsqHeader *out_header,
             GError **error)
{
  DsqServerArgs args = { 0 };
  PGresult *result;
  gint64 last_table;
  gboolean is_read;

  dsq_server_args_add_number (&args, self->id);
  result = connection != NULL ? dsq_server_run (connection, DSQ_SERVER_HEADER, &args, error)
                              : dsq_server_read (self, DSQ_SERVER_HEADER, &args, error);
  if (result == NULL)
    return FALSE;
  is_read = dsq_server_read_header (self, result, out_header, &last_table, error);
  self->target.pq->clear (result);
  return is_read;
}

gboolean
dsq_server_get_header (DsqColdTier *tier, DsqHeader *out_header, GError **error)
{
  return read_header ((DsqColdServer *) tier, NULL, out_header, error);
}

/* The store's row is locked from the beginning on. Who has the store open goes on: the keys that it
 * has are those that the new header holds. */
gboolean
dsq_server_replace_header (DsqColdTier *tier,
                           const DsqHeader *before,
                           const DsqHeader *after,
                           GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  DsqServerArgs args = { 0 };
  DsqHeader now;

  if (!read_header (self, &self->writer.connection, &now, error) ||
      !dsq_cold_check_header (&now, before, error))
    return FALSE;
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_bytes (&args, after->bytes, after->length);
  if (!dsq_server_do (&self->writer.connection, DSQ_SERVER_SET_HEADER, &args, error))
    return FALSE;
  self->writer.has_changed = TRUE;
  return TRUE;
}
