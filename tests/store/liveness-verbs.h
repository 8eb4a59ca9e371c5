/* liveness-verbs.h - all that can be done with a store, as calls that look alike
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

#define N_KEYS 200

/* A dropped table's name is freed by whoever has the last reference, and the thread sanitizer does
 * not see GLib's counts of references: for it no table is dropped. */
#if defined(__SANITIZE_THREAD__)
#define DROPS_TABLES FALSE
#elif defined(__has_feature)
#define DROPS_TABLES (!__has_feature (thread_sanitizer))
#else
#define DROPS_TABLES TRUE
#endif

typedef void (*VerbFunc) (DsqStore *store, GRand *random, GError **error);

typedef struct
{
  const char *name;
  VerbFunc func;
  gboolean only_reads;
} Verb;

/* In place until the same thread asks again. */
static const char *
key_of (GRand *random)
{
  static __thread char key[2][16];
  static __thread guint which;

  which = !which;
  g_snprintf (key[which], sizeof key[which], "key %d", g_rand_int_range (random, 0, N_KEYS));
  return key[which];
}

static void
set (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_set (store, key_of (random), g_variant_new_int64 (1), NULL, error);
}

static void
get (DsqStore *store, GRand *random, GError **error)
{
  G_GNUC_UNUSED g_autoptr (GVariant) value = dsq_store_get (store, key_of (random), NULL, error);
}

static void
contains (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_contains (store, key_of (random), NULL, error);
}

static void
remove_one (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_remove (store, key_of (random), NULL, error);
}

static void
get_last_pack (DsqStore *store, GRand *random, GError **error)
{
  gsize length;
  G_GNUC_UNUSED g_autofree guint8 *pack = dsq_store_get_last_pack (store, &length, error);
}

static void
count (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_count (store, NULL, error);
}

/* A walk may be told that its store has changed. */
static void
walk (DsqStore *store, GRand *random, GError **error)
{
  g_autoptr (DsqScan) scan = dsq_store_walk_pack (store, g_rand_boolean (random), error);
  gsize length = 1;
  guint n_batches = 0;

  while (*error == NULL && length > 4 && n_batches++ < 3)
    g_free (dsq_scan_next_pack (scan, 10, FALSE, &length, NULL, error));
  if (g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_CHANGED))
    g_clear_error (error);
}

static void
list_prefix (DsqStore *store, GRand *random, GError **error)
{
  static const guint8 prefix[] = { 'k', 'e', 'y' };
  gsize length;
  G_GNUC_UNUSED g_autofree guint8 *pack =
      dsq_store_list_keys_pack (store, prefix, sizeof prefix, NULL, 0, 20, FALSE, &length, error);
}

static GVariant *
some_entries (GRand *random, const char *type, const char *format)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (type));

  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %d", g_rand_int_range (random, 0, N_KEYS / 20));

      g_variant_builder_add (&builder, format, key, g_variant_new_int64 (i));
    }
  return g_variant_builder_end (&builder);
}

static void
apply (DsqStore *store, GRand *random, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));

  g_variant_builder_add (&builder, "{smv}", key_of (random), NULL);
  dsq_store_apply (store,
                   g_variant_builder_end (&builder),
                   some_entries (random, "a{smv}", "{smv}"),
                   NULL,
                   error);
}

static void
set_many (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_set_many (store, some_entries (random, "a{sv}", "{sv}"), NULL, error);
}

static void
get_many (DsqStore *store, GRand *random, GError **error)
{
  const char *const keys[] = { "key 1", "key 2", "key 100", key_of (random), NULL };
  G_GNUC_UNUSED g_autoptr (GVariant) values = dsq_store_get_many (store, keys, NULL, error);
}

static void
increment (DsqStore *store, GRand *random, GError **error)
{
  gint64 value;

  dsq_store_increment (store, "counter", 1, 0, &value, NULL, error);
}

static void
compare_and_set (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_compare_and_set (store,
                             key_of (random),
                             g_variant_new_int64 (1),
                             g_variant_new_int64 (2),
                             NULL,
                             error);
}

static void
set_expiring (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_set_expiring (store,
                          key_of (random),
                          g_variant_new_int64 (1),
                          g_rand_int_range (random, 0, 20),
                          NULL,
                          error);
}

static void
expire (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_expire (store, NULL, error);
}

static void
clear (DsqStore *store, GRand *random, GError **error)
{
  if (g_rand_int_range (random, 0, 10) == 0)
    dsq_store_clear (store, NULL, error);
}

static void
flush (DsqStore *store, GRand *random, GError **error)
{
  dsq_store_flush (store, NULL, error);
}

static void
list_tables (DsqStore *store, GRand *random, GError **error)
{
  G_GNUC_UNUSED g_auto (GStrv) names = dsq_store_list_tables (store, NULL, error);
}

/* Another thread may drop it meanwhile. */
static void
use_table (DsqStore *store, GRand *random, GError **error)
{
  const char *name = g_rand_boolean (random) ? "one" : "two";
  g_autoptr (DsqStore) table = dsq_store_get_table (store, name, NULL, error);

  if (table != NULL)
    {
      set (table, random, error);
      if (*error == NULL)
        count (table, random, error);
      if (DROPS_TABLES && *error == NULL && g_rand_int_range (random, 0, 4) == 0)
        dsq_store_drop_table (store, name, NULL, error);
    }
  if (g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_NO_TABLE))
    g_clear_error (error);
}

static const Verb verbs[] = {
  { "set", set, FALSE },
  { "get", get, TRUE },
  { "contains", contains, TRUE },
  { "remove", remove_one, FALSE },
  { "get_last_pack", get_last_pack, TRUE },
  { "count", count, TRUE },
  { "walk", walk, TRUE },
  { "list_prefix", list_prefix, TRUE },
  { "apply", apply, FALSE },
  { "set_many", set_many, FALSE },
  { "get_many", get_many, TRUE },
  { "increment", increment, FALSE },
  { "compare_and_set", compare_and_set, FALSE },
  { "set_expiring", set_expiring, FALSE },
  { "expire", expire, FALSE },
  { "clear", clear, FALSE },
  { "flush", flush, FALSE },
  { "list_tables", list_tables, TRUE },
  { "use_table", use_table, FALSE },
};
