/* cli-walk.c - all entries of a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-walk.h"

#include <time.h>

#include "cli-pack.h"
#include "cli-progress.h"

gint64
cli_walk_now (void)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (gint64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When the key expires, to the millisecond: the library tells how long it has to live, so the clock
 * must not have ticked meanwhile. An entry that has just expired is told so by TRUE. */
static gboolean
find_expiry (DsqStore *table, CliEntry *entry, gboolean *out_gone, GError **error)
{
  gint64 before, left;

  do
    {
      before = cli_walk_now ();
      left = dsq_store_get_expiry_key (table, entry->key, entry->key_length, error);
      if (left < 0)
        return FALSE;
    }
  while (left > 0 && left < DSQ_NEVER && cli_walk_now () != before);
  *out_gone = left == 0;
  entry->expires = left < DSQ_NEVER ? before + left : 0;
  return TRUE;
}

gboolean
cli_walk_key (DsqStore *table,
              const guint8 *key,
              gsize length,
              CliEntryFunc func,
              gpointer data,
              GError **error)
{
  CliEntry entry = { NULL, 0, key, length, NULL, 0, 0 };
  g_autoptr (GError) local_error = NULL;
  g_autofree guint8 *record =
      dsq_store_get_record (table, key, length, &entry.record_length, &local_error);
  gboolean is_gone;

  if (g_error_matches (local_error, DSQ_ERROR, DSQ_ERROR_CORRUPT))
    {
      entry.record = (const guint8 *) "";
      return func (&entry, data, error);
    }
  if (record == NULL)
    {
      if (local_error == NULL)
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  entry.record = record;
  return find_expiry (table, &entry, &is_gone, error) && (is_gone || func (&entry, data, error));
}

static gboolean
give_batch (DsqStore *table,
            const guint8 *bytes,
            CliEntry *entry,
            guint *out_n_given,
            CliEntryFunc func,
            gpointer data,
            GError **error)
{
  CliPack pack;

  cli_pack_init (&pack, bytes);
  *out_n_given = pack.n_left / 2;
  while (cli_pack_next (&pack, &entry->key, &entry->key_length))
    {
      gboolean is_gone = FALSE;

      cli_pack_next (&pack, &entry->record, &entry->record_length);
      entry->expires = 0;
      if (entry->record[0] != 0 && !find_expiry (table, entry, &is_gone, error))
        return FALSE;
      if (!is_gone && !func (entry, data, error))
        return FALSE;
    }
  return TRUE;
}

guint8 *
cli_walk_next (CliCall *call, DsqScan *scan, guint *batch, GError **error)
{
  gsize length;
  guint8 *pack = NULL;

  if (*batch > 1)
    pack = dsq_scan_next_pack (scan, *batch, FALSE, &length, call->cancellable, NULL);
  if (pack != NULL)
    return pack;
  *batch = 1;
  return dsq_scan_next_pack (scan, *batch, FALSE, &length, call->cancellable, error);
}

gboolean
cli_walk_table (CliCall *call,
                DsqStore *table,
                const guint8 *name,
                gsize name_length,
                CliEntryFunc func,
                gpointer data,
                GError **error)
{
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (table, FALSE, error);
  gint64 total = scan != NULL ? dsq_store_count (table, call->cancellable, error) : -1;
  guint64 n_done = 0;
  guint batch = CLI_WALK_BATCH;
  guint n_given;

  if (total < 0)
    return FALSE;
  do
    {
      CliEntry entry = { name, name_length, NULL, 0, NULL, 0, 0 };
      g_autofree guint8 *bytes = cli_walk_next (call, scan, &batch, error);

      if (bytes == NULL || !give_batch (table, bytes, &entry, &n_given, func, data, error))
        return FALSE;
      n_done += n_given;
      cli_progress_show (n_done, (guint64) total, "entries");
    }
  while (n_given > 0);
  return TRUE;
}

gboolean
cli_walk_tables (DsqStore *store, CliTableFunc func, gpointer data, GError **error)
{
  gsize length;
  g_autofree guint8 *tables = dsq_store_list_tables_pack (store, &length, error);
  CliPack pack;
  const guint8 *name;
  gsize name_length;

  if (tables == NULL || !func (store, NULL, 0, data, error))
    return FALSE;
  cli_pack_init (&pack, tables);
  while (cli_pack_next (&pack, &name, &name_length))
    {
      g_autoptr (DsqStore) table = dsq_store_get_table_utf8 (store, name, name_length, error);

      if (table == NULL || !func (table, name, name_length, data, error))
        return FALSE;
    }
  return TRUE;
}

typedef struct
{
  CliCall *call;
  CliEntryFunc func;
  gpointer data;
} StoreWalk;

static gboolean
walk_one (DsqStore *table, const guint8 *name, gsize name_length, gpointer data, GError **error)
{
  StoreWalk *walk = data;
  const CliEntry head = { name, name_length, NULL, 0, NULL, 0, 0 };

  return (name == NULL || walk->func (&head, walk->data, error)) &&
         cli_walk_table (walk->call, table, name, name_length, walk->func, walk->data, error);
}

gboolean
cli_walk_store (CliCall *call, DsqStore *store, CliEntryFunc func, gpointer data, GError **error)
{
  StoreWalk walk = { call, func, data };
  gboolean success = cli_walk_tables (store, walk_one, &walk, error);

  cli_progress_end ();
  return success;
}
