/* cmd-salvage.c - dsq salvage: what a damaged file still gives
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "cli-output.h"
#include "cli-progress.h"
#include "cli-sink.h"
#include "cli-text.h"

/*
 * An entry that is damaged is one that a walk tells of and goes on. Where SQLite's pages are
 * damaged a walk ends: then one goes from the other end, to what is there already, and whatever
 * lies between is asked for by the keys that the file's index still gives, of a plain file, at the
 * end of their table.
 */

#define BATCH 500 /* keys */

typedef struct
{
  CliCall *call;
  CliSink *sink;
  guint64 n_expected; /* entries, as far as the file tells */
  guint64 n_damaged;  /* that were met */
  guint n_broken;     /* tables whose entries could not be walked to the end */
  guint n_unopened;   /* tables */
} Salvage;

/* A table that is being read. */
typedef struct
{
  Salvage *salvage;
  DsqStore *from;
  const guint8 *name; /* (nullable) */
  gsize name_length;
  guint64 n_before; /* entries of the sink before it */
} Table;

static gboolean
add (Table *self, const CliEntry *entry, GError **error)
{
  if (entry->record[0] != 0)
    return cli_sink_add (entry, self->salvage->sink, error);
  self->salvage->n_damaged++;
  return TRUE;
}

static gboolean
add_cb (const CliEntry *entry, gpointer data, GError **error)
{
  CliEntry named = *entry;
  Table *self = data;

  named.table = self->name;
  named.table_length = self->name_length;
  return add (self, &named, error);
}

/* Whether what went wrong is damage of the old file, and no signal or a fault of the new one. */
static gboolean
is_damage (Table *self, const GError *error)
{
  return !g_cancellable_is_cancelled (self->salvage->call->cancellable) &&
         (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_CORRUPT) ||
          g_error_matches (error, DSQ_ERROR, DSQ_ERROR_IO));
}

static gboolean
is_there (Table *self, const guint8 *key, gsize length, gboolean *out_is, GError **error)
{
  CliSink *sink = self->salvage->sink;
  DsqAnswer answer;
  g_autoptr (GError) local_error = NULL;

  if (!cli_sink_flush (sink, error))
    return FALSE;
  answer = dsq_store_contains_key (sink->table, key, length, &local_error);
  *out_is = answer == DSQ_ANSWER_YES;
  if (local_error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* The keys from the end up to the first that is there already, or up to damage. */
static gboolean
collect_from_end (Table *self, GPtrArray *keys, GError **error)
{
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (self->from, TRUE, NULL);
  guint batch = CLI_WALK_BATCH;

  while (scan != NULL)
    {
      g_autofree guint8 *bytes = cli_walk_next (self->salvage->call, scan, &batch, NULL);
      CliPack pack;
      const guint8 *key;
      gsize key_length;

      if (bytes == NULL)
        return TRUE;
      cli_pack_init (&pack, bytes);
      if (pack.n_left == 0)
        return TRUE;
      while (cli_pack_next (&pack, &key, &key_length))
        {
          gboolean is_known;

          if (!is_there (self, key, key_length, &is_known, error))
            return FALSE;
          if (is_known)
            return TRUE;
          g_ptr_array_add (keys, g_bytes_new (key, key_length));
          cli_pack_next (&pack, &key, &key_length);
        }
    }
  return TRUE;
}

static gboolean
add_key (Table *self, const guint8 *key, gsize length, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (cli_walk_key (self->from, key, length, add_cb, self, &local_error))
    return TRUE;
  if (is_damage (self, local_error))
    {
      self->salvage->n_damaged++;
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
read_from_end (Table *self, GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (!collect_from_end (self, keys, error))
    return FALSE;
  for (guint i = keys->len; i-- > 0;)
    {
      gsize length;
      const guint8 *key = g_bytes_get_data (keys->pdata[i], &length);

      if (!add_key (self, key, length, error))
        return FALSE;
    }
  return TRUE;
}

/* Whatever of the keys that are strings the index has, and the new store has not. */
static gboolean
read_by_index (Table *self, GError **error)
{
  g_autoptr (GByteArray) from = g_byte_array_new ();

  while (TRUE)
    {
      gsize length;
      g_autofree guint8 *bytes = dsq_store_list_keys_pack (self->from,
                                                           NULL,
                                                           0,
                                                           from->data,
                                                           from->len,
                                                           BATCH,
                                                           FALSE,
                                                           &length,
                                                           NULL);
      CliPack pack;
      const guint8 *key;

      if (bytes == NULL)
        return TRUE;
      cli_pack_init (&pack, bytes);
      if (pack.n_left == 0)
        return TRUE;
      while (cli_pack_next (&pack, &key, &length))
        {
          gboolean is_known;

          g_byte_array_set_size (from, 0);
          g_byte_array_append (from, key, (guint) length);
          g_byte_array_append (from, (const guint8 *) "", 1);
          if (!is_there (self, key, length, &is_known, error) ||
              (!is_known && !add_key (self, key, length, error)))
            return FALSE;
        }
    }
}

static gboolean
read_table (DsqStore *from, const guint8 *name, gsize length, gpointer data, GError **error)
{
  Salvage *salvage = data;
  const CliEntry head = { name, length, NULL, 0, NULL, 0, 0 };
  Table self = { salvage, from, name, length, salvage->sink->n_entries };
  gint64 count = dsq_store_count (from, NULL, NULL);
  guint64 n_damaged = salvage->n_damaged;
  g_autoptr (GError) local_error = NULL;

  if (!cli_sink_add (&head, salvage->sink, error))
    return FALSE;
  if (!cli_walk_table (salvage->call, from, name, length, add_cb, &self, &local_error))
    {
      if (!is_damage (&self, local_error))
        {
          g_propagate_error (error, g_steal_pointer (&local_error));
          return FALSE;
        }
      salvage->n_broken++;
      if (!read_from_end (&self, error) || !read_by_index (&self, error))
        return FALSE;
      /* the same entry may have been met more than once */
      salvage->n_damaged = n_damaged;
    }
  salvage->n_expected += (guint64) MAX (count, 0);
  return cli_sink_flush (salvage->sink, error);
}

static gboolean
read_tables (Salvage *self, DsqStore *from, GError **error)
{
  gsize length;
  g_autofree guint8 *tables = NULL;
  CliPack pack;
  const guint8 *name;

  if (!read_table (from, NULL, 0, self, error))
    return FALSE;
  tables = dsq_store_list_tables_pack (from, &length, NULL);
  if (tables == NULL)
    {
      self->n_unopened++;
      return TRUE;
    }
  cli_pack_init (&pack, tables);
  while (cli_pack_next (&pack, &name, &length))
    {
      g_autoptr (DsqStore) table = dsq_store_get_table_utf8 (from, name, length, NULL);

      if (table == NULL)
        self->n_unopened++;
      else if (!read_table (table, name, length, self, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
tell (Salvage *self, const char *path, GError **error)
{
  guint64 n_lost =
      MAX (self->n_damaged, self->n_expected - MIN (self->n_expected, self->sink->n_entries));
  g_autofree char *lost = cli_text_count (n_lost, "entry", "entries");

  if (n_lost == 0 && self->n_broken == 0 && self->n_unopened == 0)
    return TRUE;
  if (self->n_unopened > 0)
    cli_set_error (error,
                   CLI_DAMAGED,
                   "%s: %s could not be read, and at least %u tables",
                   path,
                   lost,
                   self->n_unopened);
  else
    cli_set_error (error, CLI_DAMAGED, "%s: %s could not be read", path, lost);
  return FALSE;
}

static gboolean
run_salvage (CliCall *call, GError **error)
{
  const char *path = call->words[1];
  g_autoptr (DsqStore) from = NULL;
  g_autoptr (DsqStore) to = NULL;
  g_autoptr (GBytes) password = NULL;
  g_auto (CliSink) sink = { NULL };
  Salvage self = { call, &sink, 0, 0, 0, 0 };
  gboolean success;

  if (g_file_test (path, G_FILE_TEST_EXISTS))
    {
      cli_set_error (error, CLI_FAILED, "%s: there is such a file already", path);
      return FALSE;
    }
  from = cli_store_open (call, call->words[0], CLI_READ, error);
  if (from == NULL)
    return FALSE;
  password = call->known != NULL ? g_bytes_ref (call->known) : NULL;
  to = cli_store_open_under (call, password, path, CLI_FILL, error);
  if (to == NULL)
    return FALSE;
  cli_sink_init (&sink, to);
  success = read_tables (&self, from, error);
  return cli_sink_end (&sink, path, success, "salvaged", error) &&
         tell (&self, call->words[0], error);
}

const CliCommand cli_salvage_command = {
  .name = "salvage",
  .arguments = "FILE NEW",
  .summary = "Write what a damaged file still gives into a new one, and tell what was lost.",
  .more = "NEW has FILE's password. The exit status is 5 where something could not be read. A file "
          "that cannot be opened at all gives nothing: take a backup.",
  .min_words = 2,
  .max_words = 2,
  .takes = CLI_TAKES_PASSWORD,
  .run = run_salvage,
};
