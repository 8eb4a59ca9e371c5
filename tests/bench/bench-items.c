/* bench-items.c - what the loops of the bench set and get
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-items.h"

#include <glib/gstdio.h>
#include <string.h>

static BenchItem *
make_items (guint n, const char *key, const char *word)
{
  BenchItem *items = g_new (BenchItem, n);

  for (guint i = 0; i < n; i++)
    {
      items[i].key = g_strdup_printf ("%s_%u", key, i);
      items[i].key_length = strlen (items[i].key);
      items[i].record = (guint8 *) g_strdup_printf ("%c%s_%u", DSQ_VALUE_STRING, word, i);
      items[i].record_length = strlen ((const char *) items[i].record);
    }
  return items;
}

BenchItem *
bench_items_new (guint n)
{
  return make_items (n, "key", "value");
}

BenchItem *
bench_items_new_other (guint n)
{
  return make_items (n, "key", "other");
}

BenchItem *
bench_items_new_absent (guint n)
{
  return make_items (n, "absent", "value");
}

void
bench_items_free (BenchItem *items, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_free (items[i].key);
      g_free (items[i].record);
    }
  g_free (items);
}

static void
insist (gboolean done, GError *error)
{
  if (error != NULL)
    g_error ("store: %s", error->message);
  if (!done)
    g_error ("store: a key of the loop is missing");
}

/* @password may be NULL; its key costs the least that it can. */
static DsqStore *
open_store (const char *path, DsqPersistMode mode, guint hot_capacity, const char *password)
{
  GError *error = NULL;
  /* an hour: no flush that a lazy loop did not ask for; writethrough syncs as by default */
  guint flush_interval = mode == DSQ_PERSIST_LAZY ? 3600 * 1000 : 1000;
  GObject *store = g_initable_new (DSQ_TYPE_STORE,
                                   NULL,
                                   &error,
                                   "path",
                                   path,
                                   "persist-mode",
                                   mode,
                                   "hot-capacity",
                                   (guint64) hot_capacity,
                                   "flush-interval",
                                   flush_interval,
                                   "password",
                                   password,
                                   "kdf-memory",
                                   G_GUINT64_CONSTANT (19) << 20,
                                   "kdf-passes",
                                   2,
                                   NULL);

  insist (store != NULL, error);
  return DSQ_STORE (store);
}

DsqStore *
bench_store_open (const char *path, DsqPersistMode mode, guint hot_capacity)
{
  return open_store (path, mode, hot_capacity, NULL);
}

DsqStore *
bench_store_open_encrypted (const char *path, DsqPersistMode mode, guint hot_capacity)
{
  return open_store (path, mode, hot_capacity, BENCH_PASSWORD);
}

DsqStore *
bench_store_open_with (const char *path,
                       guint hot_capacity,
                       guint64 warm_capacity,
                       gboolean background)
{
  GError *error = NULL;
  GObject *store = g_initable_new (DSQ_TYPE_STORE,
                                   NULL,
                                   &error,
                                   "path",
                                   path,
                                   "persist-mode",
                                   DSQ_PERSIST_LAZY,
                                   "hot-capacity",
                                   (guint64) hot_capacity,
                                   "warm-capacity",
                                   warm_capacity,
                                   "background",
                                   background,
                                   NULL);

  insist (store != NULL, error);
  return DSQ_STORE (store);
}

void
bench_store_close (DsqStore *store)
{
  GError *error = NULL;

  insist (dsq_store_close (store, NULL, &error), error);
  g_object_unref (store);
}

void
bench_store_flush (DsqStore *store)
{
  GError *error = NULL;

  insist (dsq_store_flush (store, NULL, &error), error);
}

void
bench_store_set (DsqStore *store, const BenchItem *items, guint n)
{
  GError *error = NULL;

  for (guint i = 0; i < n; i++)
    if (!dsq_store_set_record (store,
                               (const guint8 *) items[i].key,
                               items[i].key_length,
                               items[i].record,
                               items[i].record_length,
                               &error))
      insist (FALSE, error);
}

void
bench_store_get (DsqStore *store, const BenchItem *items, guint n)
{
  GError *error = NULL;

  for (guint i = 0; i < n; i++)
    {
      gsize length = 0;
      guint8 *record = dsq_store_get_record (store,
                                             (const guint8 *) items[i].key,
                                             items[i].key_length,
                                             &length,
                                             &error);

      if (length != items[i].record_length)
        insist (FALSE, error);
      g_free (record);
    }
}

void
bench_store_get_absent (DsqStore *store, const BenchItem *items, guint n)
{
  GError *error = NULL;

  for (guint i = 0; i < n; i++)
    {
      gsize length = 0;
      guint8 *record = dsq_store_get_record (store,
                                             (const guint8 *) items[i].key,
                                             items[i].key_length,
                                             &length,
                                             &error);

      if (length != 0 || error != NULL)
        insist (FALSE, error);
      g_free (record);
    }
}

void
bench_store_remove (DsqStore *store, const BenchItem *items, guint n)
{
  GError *error = NULL;

  for (guint i = 0; i < n; i++)
    if (!dsq_store_remove_key (store, (const guint8 *) items[i].key, items[i].key_length, &error))
      insist (FALSE, error);
}

char *
bench_path (const char *directory, const char *name, guint round)
{
  g_autofree char *base = g_strdup_printf ("%s-%u.db", name, round);

  return g_build_filename (directory, base, NULL);
}

void
bench_path_remove (char *path)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  g_autofree char *index = g_strconcat (path, "-shm", NULL);

  g_unlink (path);
  g_unlink (log);
  g_unlink (index);
  g_free (path);
}
