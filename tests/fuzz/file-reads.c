/* file-reads.c - what a store of a damaged file gives, and what it must not
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/dsq-pack-private.h"
#include "file-content.h"
#include "file-reads.h"

/*
 * Right is a clear error, or what was stored. What else holds:
 *
 *   - what was not damaged can be read, where the damage is that of some rows or of their pages;
 *   - what can not be read is found by a check;
 *   - where a check finds nothing, walks, counts and lookups say the same;
 *   - what has just been written reads as that.
 */

/* Far more than there are, and than may be in files that are a few times as long. */
#define MAX_WALKED 20000
#define BATCH      50

void
trial_fail (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  vfprintf (stderr, format, arguments);
  va_end (arguments);
  fputc ('\n', stderr);
  abort ();
}

void
trial_enter (Trial *self, const char *step)
{
  if (self->step != NULL)
    *self->step = step;
  else
    puts (step);
}

/* --- errors ----------------------------------------------------------------------------------- */

static gboolean
is_clear (const GError *error)
{
  if (error->domain != DSQ_ERROR || !g_utf8_validate (error->message, -1, NULL))
    return FALSE;
  for (const char *at = error->message; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      return FALSE;
  switch ((DsqError) error->code)
    {
    case DSQ_ERROR_FORMAT:
    case DSQ_ERROR_CORRUPT:
    case DSQ_ERROR_WRONG_PASSWORD:
    case DSQ_ERROR_ENCRYPTED:
    case DSQ_ERROR_NOT_ENCRYPTED:
      return TRUE;
    case DSQ_ERROR_CONFLICT: /* a row that was read is not found any more */
    case DSQ_ERROR_NO_SPACE: /* SQLite says so of a page that no file can have */
      return TRUE;
    case DSQ_ERROR_FAILED: /* places and ids may be used up */
      return strstr (error->message, "full") != NULL ||
             strstr (error->message, "as many as it can have") != NULL;
    default:
      return FALSE;
    }
}

/* Whether the call has succeeded; else its error must be one of a damaged file. */
gboolean
trial_check (Trial *self, gboolean success, GError **error)
{
  g_autoptr (GError) owned = g_steal_pointer (error);

  if (owned == NULL && !success)
    trial_fail ("no error where there was no success");
  if (owned == NULL)
    return TRUE;
  if (!is_clear (owned))
    trial_fail ("error %s %d: %s", g_quark_to_string (owned->domain), owned->code, owned->message);
  if (self->step == NULL)
    puts (owned->message);
  self->saw_damage |= g_error_matches (owned, DSQ_ERROR, DSQ_ERROR_CORRUPT);
  return FALSE;
}

/* --- what was stored -------------------------------------------------------------------------- */

/* FALSE: in place of the record stands, behind a byte 0, that it is damaged. Plain tables' names
 * are bound to nothing, so there it is enough that some table had it. */
static gboolean
check_record (Trial *self,
              guint table,
              const guint8 *key,
              gsize key_length,
              const guint8 *record,
              gsize length)
{
  if (length > 0 && record[0] == 0)
    {
      if (length < 4 || record[1] != DSQ_ERROR_CORRUPT || record[2] != 1)
        trial_fail ("a record that is none, and no damage");
      self->saw_damage = TRUE;
      return FALSE;
    }
  if (!content_was_stored (self->is_bound ? table : CONTENT_N_TABLES,
                           key,
                           key_length,
                           record,
                           length))
    trial_fail ("a value of %" G_GSIZE_FORMAT " bytes that was never stored in table %u",
                length,
                table);
  return TRUE;
}

DsqStore *
trial_get_table (Trial *self, DsqStore *store, guint table)
{
  GError *error = NULL;
  DsqStore *handle;

  if (table == 0)
    return g_object_ref (store);
  handle = dsq_store_get_table (store, content_tables[table], NULL, &error);
  /* a read-only store does not make one that is missing */
  if (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY))
    g_clear_error (&error);
  else
    trial_check (self, handle != NULL, &error);
  return handle;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The content as a walk gives it, from key to record: NULL where there was damage. */
static GHashTable *
walk (Trial *self, DsqStore *store, guint table, DsqWalkOrder order, gboolean keys_only)
{
  g_autoptr (GHashTable) content = g_hash_table_new_full (g_bytes_hash,
                                                          g_bytes_equal,
                                                          (GDestroyNotify) g_bytes_unref,
                                                          (GDestroyNotify) g_bytes_unref);
  GError *scan_error = NULL;
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (store, order == DSQ_WALK_REVERSE, &scan_error);
  gboolean is_sound = TRUE;
  guint n_walked = 0;

  if (!trial_check (self, scan != NULL, &scan_error))
    return NULL;
  for (;;)
    {
      GError *error = NULL;
      gsize length;
      g_autofree guint8 *pack = dsq_scan_next_pack (scan, BATCH, keys_only, &length, NULL, &error);
      const guint8 *key, *record = NULL;
      guint32 key_length, record_length = 0;
      DsqPackReader reader;

      if (!trial_check (self, pack != NULL, &error))
        return NULL;
      g_assert_true (dsq_pack_reader_init (&reader, pack, length, NULL));
      if (reader.n_items == 0)
        return is_sound ? g_steal_pointer (&content) : NULL;
      while (dsq_pack_reader_next (&reader, &key, &key_length))
        {
          if (!keys_only)
            {
              dsq_pack_reader_next (&reader, &record, &record_length);
              is_sound &= check_record (self, table, key, key_length, record, record_length);
            }
          if (++n_walked > MAX_WALKED)
            trial_fail ("a walk without an end");
          g_hash_table_insert (content,
                               g_bytes_new (key, key_length),
                               g_bytes_new (record, record_length));
        }
    }
}

/* The record, NULL for none or an error. */
static GBytes *
get (Trial *self, DsqStore *store, guint table, guint number, gboolean *out_failed)
{
  GError *error = NULL;
  gsize key_length, length;
  const guint8 *key = content_get_key (number, &key_length);
  guint8 *record = dsq_store_get_record (store, key, key_length, &length, &error);

  *out_failed = !trial_check (self, TRUE, &error);
  if (record == NULL)
    return NULL;
  check_record (self, table, key, key_length, record, length);
  return g_bytes_new_take (record, length);
}

static void
get_all (Trial *self, DsqStore *store, guint table)
{
  for (guint number = 0; number < content_n_keys[table]; number++)
    {
      gboolean failed;
      g_autoptr (GBytes) record = get (self, store, table, number, &failed);
    }
}

/* Rows that were not damaged, as long as nothing was written: there is one version of each. */
void
trial_get_spared (Trial *self, DsqStore *store)
{
  const GArray *rows = self->damage->image->rows;
  DsqStore *tables[CONTENT_N_TABLES];

  trial_enter (self, "reading what is not damaged");
  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    tables[t] = trial_get_table (self, store, t);
  for (guint i = 0; i < rows->len; i++)
    {
      const ImageRow *row = &g_array_index (rows, ImageRow, i);
      g_autoptr (GBytes) record = NULL;
      gboolean failed;

      if (!damage_spares (self->damage, row))
        continue;
      if (tables[row->table] == NULL)
        trial_fail ("table %u cannot be opened", row->table);
      record = get (self, tables[row->table], row->table, row->number, &failed);
      if (record == NULL)
        trial_fail ("key %u of table %u is not damaged, and cannot be read",
                    row->number,
                    row->table);
    }
  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    g_clear_object (&tables[t]);
}

static void
list (Trial *self, DsqStore *store)
{
  GError *error = NULL;
  gsize length;
  g_autofree guint8 *pack = NULL;
  g_autofree guint8 *names = NULL;

  trial_enter (self, "listing tables");
  names = dsq_store_list_tables_pack (store, &length, &error);
  trial_check (self, names != NULL, &error);
  trial_enter (self, "listing keys");
  pack = dsq_store_list_keys_pack (store,
                                   (const guint8 *) "key-",
                                   4,
                                   NULL,
                                   0,
                                   MAX_WALKED,
                                   TRUE,
                                   &length,
                                   &error);
  if (self->password == NULL)
    trial_check (self, pack != NULL, &error);
  else
    g_clear_error (&error);
}

/* The number of problems, -1 for an error. */
static int
count_problems (Trial *self, DsqStore *store)
{
  gboolean saw_damage = self->saw_damage;
  GError *error = NULL;
  g_auto (GStrv) problems = NULL;

  trial_enter (self, "checking");
  problems = dsq_store_check (store, NULL, &error);
  if (!trial_check (self, problems != NULL, &error))
    return -1;
  if (problems[0] == NULL && saw_damage && !self->has_unwritten)
    trial_fail ("a check finds nothing where a read has found damage");
  return (int) g_strv_length (problems);
}

/* Where nothing is wrong everything says the same. */
static void
compare (Trial *self, DsqStore *store, guint table, GHashTable *forward, GHashTable *reverse)
{
  GError *error = NULL;
  gint64 count = dsq_store_count (store, NULL, &error);
  GHashTableIter iter;
  gpointer key, record;

  trial_enter (self, "comparing");
  if (!trial_check (self, TRUE, &error) || forward == NULL || reverse == NULL)
    trial_fail ("what a check finds sound cannot be read: table %u", table);
  if (count != g_hash_table_size (forward) || count != g_hash_table_size (reverse))
    trial_fail ("table %u counts %d, has %u forward, %u in reverse",
                table,
                (int) count,
                g_hash_table_size (forward),
                g_hash_table_size (reverse));
  g_hash_table_iter_init (&iter, forward);
  while (g_hash_table_iter_next (&iter, &key, &record))
    {
      gsize key_length, length;
      const guint8 *bytes = g_bytes_get_data (key, &key_length);
      g_autofree guint8 *found = dsq_store_get_record (store, bytes, key_length, &length, NULL);

      if (found == NULL || !g_hash_table_contains (reverse, key) ||
          length != g_bytes_get_size (record) ||
          memcmp (found, g_bytes_get_data (record, NULL), length) != 0)
        trial_fail ("table %u: a lookup says another thing than a walk", table);
    }
}

void
trial_read (Trial *self, DsqStore *store)
{
  GHashTable *forward[CONTENT_N_TABLES] = { NULL };
  GHashTable *reverse[CONTENT_N_TABLES] = { NULL };
  DsqStore *tables[CONTENT_N_TABLES];
  int n_problems;

  /* what was seen before may have been written over */
  self->saw_damage = FALSE;
  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    {
      GError *error = NULL;
      gsize length;
      g_autofree guint8 *last = NULL;

      trial_enter (self, "opening a table");
      tables[t] = trial_get_table (self, store, t);
      if (tables[t] == NULL)
        continue;
      trial_enter (self, "counting");
      dsq_store_count (tables[t], NULL, &error);
      trial_check (self, TRUE, &error);
      trial_enter (self, "looking for the last");
      last = dsq_store_get_last_pack (tables[t], &length, &error);
      trial_check (self, TRUE, &error);
      trial_enter (self, "walking");
      forward[t] = walk (self, tables[t], t, DSQ_WALK_FORWARD, FALSE);
      trial_enter (self, "walking back");
      reverse[t] = walk (self, tables[t], t, DSQ_WALK_REVERSE, TRUE);
      trial_enter (self, "getting");
      get_all (self, tables[t], t);
    }
  list (self, store);
  n_problems = count_problems (self, store);
  for (guint t = 0; t < CONTENT_N_TABLES; t++)
    {
      if (n_problems == 0 && tables[t] != NULL)
        compare (self, tables[t], t, forward[t], reverse[t]);
      g_clear_pointer (&forward[t], g_hash_table_unref);
      g_clear_pointer (&reverse[t], g_hash_table_unref);
      g_clear_object (&tables[t]);
    }
}
