/* cli-sink.c - entries on their way into a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-sink.h"

#include <string.h>

#include "cli-output.h"
#include "cli-progress.h"
#include "cli-text.h"

#define MAX_ITEMS 2000      /* of one step: a key and a record each */
#define MAX_BYTES (4 << 20) /* of one step, before the entry that goes beyond */

void
cli_sink_init (CliSink *self, DsqStore *store)
{
  memset (self, 0, sizeof *self);
  self->store = store;
  cli_packer_init (&self->packer);
}

void
cli_sink_clear (CliSink *self)
{
  g_clear_object (&self->table);
  g_clear_pointer (&self->name, g_bytes_unref);
  cli_packer_clear (&self->packer);
}

gboolean
cli_sink_flush (CliSink *self, GError **error)
{
  guint n_held = self->packer.lengths->len / 2;
  gsize length;
  g_autofree guint8 *pack = NULL;

  if (n_held == 0)
    return TRUE;
  pack = cli_packer_finish (&self->packer, &length);
  if (!dsq_store_set_pack (self->table, pack, length, error))
    return FALSE;
  self->n_entries += n_held;
  return TRUE;
}

static gboolean
is_current (const CliSink *self, const CliEntry *entry)
{
  gsize length = 0;
  const guint8 *name = self->name != NULL ? g_bytes_get_data (self->name, &length) : NULL;

  if (self->table == NULL || (self->name == NULL) != (entry->table == NULL))
    return FALSE;
  return entry->table == NULL || (length == entry->table_length &&
                                  (length == 0 || memcmp (name, entry->table, length) == 0));
}

static gboolean
turn_to_table (CliSink *self, const CliEntry *entry, GError **error)
{
  if (is_current (self, entry))
    return TRUE;
  if (!cli_sink_flush (self, error))
    return FALSE;
  g_clear_object (&self->table);
  g_clear_pointer (&self->name, g_bytes_unref);
  if (entry->table == NULL)
    self->table = g_object_ref (self->store);
  else
    {
      self->table =
          dsq_store_get_table_utf8 (self->store, entry->table, entry->table_length, error);
      self->name = g_bytes_new (entry->table, entry->table_length);
    }
  return self->table != NULL;
}

/* The library is told how long the entry has to live, so the clock must not have ticked meanwhile
 * if the time is to be the same to the millisecond. */
static gboolean
set_expiring (CliSink *self, const CliEntry *entry, GError **error)
{
  gint64 before;

  do
    {
      before = cli_walk_now ();
      if (!dsq_store_set_expiring_record (self->table,
                                          entry->key,
                                          entry->key_length,
                                          entry->record,
                                          entry->record_length,
                                          entry->expires - before,
                                          error))
        return FALSE;
    }
  while (entry->expires > before && cli_walk_now () != before);
  self->n_entries++;
  return TRUE;
}

gboolean
cli_sink_add (const CliEntry *entry, gpointer sink, GError **error)
{
  CliSink *self = sink;

  if (!turn_to_table (self, entry, error))
    return FALSE;
  if (entry->key == NULL)
    return TRUE;
  if (entry->expires != 0)
    return cli_sink_flush (self, error) && set_expiring (self, entry, error);
  cli_packer_add (&self->packer, entry->key, entry->key_length);
  cli_packer_add (&self->packer, entry->record, entry->record_length);
  return (self->packer.lengths->len < MAX_ITEMS && self->packer.bytes->len < MAX_BYTES) ||
         cli_sink_flush (self, error);
}

gboolean
cli_sink_end (CliSink *self, const char *path, gboolean success, const char *done, GError **error)
{
  g_autoptr (GError) end_error = NULL;
  g_autofree char *count = NULL;

  cli_progress_end ();
  if (!cli_sink_flush (self, &end_error) || !cli_store_close (self->store, path, &end_error))
    {
      cli_prefix_error (&end_error, path);
      g_clear_error (error);
      g_propagate_error (error, g_steal_pointer (&end_error));
      return FALSE;
    }
  count = cli_text_count (self->n_entries, "entry", "entries");
  if (!success)
    {
      gboolean is_interrupted = g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      char *message = g_strdup_printf ("%s; %s %s before that",
                                       is_interrupted ? "interrupted" : (*error)->message,
                                       count,
                                       done);

      g_free ((*error)->message);
      (*error)->message = message;
      return FALSE;
    }
  g_string_append_printf (cli_output (), "%s %s\n", count, done);
  return cli_output_flush (error);
}
