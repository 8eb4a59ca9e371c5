/* cold-contract.h - the cold tiers there are, each to be tried on the same tests
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold-support.h"
#include "cold/postgresql/dsq-server-open-private.h"

/* An implementation. */
typedef struct
{
  const char *name;
  DsqColdTier *(*open) (const DsqColdOptions *options, DsqTableState *out_main, GError **error);
  const char *password;  /* (nullable) */
  gboolean hides_order;  /* list_keys() tells so */
  gboolean is_lasting;   /* what its head is to say */
  gboolean begins_empty; /* the same */
  gboolean is_remote;    /* there is one only where tests/with_server.py has started a server */
} Kind;

static inline DsqColdTier *
open_private (const DsqColdOptions *options, DsqTableState *out_main, GError **error)
{
  return dsq_cold_tier_new_private (options, out_main);
}

/* One line more is another of them. */
static const Kind kinds[] = {
  { "file", dsq_cold_tier_open_sqlite, NULL, FALSE, TRUE, FALSE },
  { "sealed-file", dsq_cold_tier_open_sqlite, "password", TRUE, TRUE, FALSE },
  { "private", open_private, NULL, FALSE, FALSE, TRUE },
  { "sealed-private", open_private, "password", TRUE, FALSE, TRUE },
  { "server", dsq_cold_tier_open_server, NULL, FALSE, TRUE, FALSE, TRUE },
  { "sealed-server", dsq_cold_tier_open_server, "password", TRUE, TRUE, FALSE, TRUE },
};

typedef struct
{
  char *folder;     /* (owned) */
  const Kind *kind; /* (unowned) */
  Foreign foreign;
  DsqColdTier *tier; /* (owned) */
} Fixture;

static inline const char *
get_server (void)
{
  return g_getenv ("DSQ_SERVER");
}

static inline DsqColdTier *
open_one (const Fixture *fixture, Foreign *foreign, DsqTableState *main)
{
  DsqColdTier *tier;
  g_autoptr (GBytes) password = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  DsqColdOptions options = {
    .busy_timeout_ms = 10000,
    .cache_bytes = 1 << 20,
    .wal_limit_bytes = 16 << 20,
    .kdf_cost = { .memory = DSQ_KDF_MIN_MEMORY, .passes = DSQ_KDF_MIN_PASSES, .lanes = 1 },
    .kdf_limit = DSQ_KDF_DEFAULT_LIMIT,
  };

  if (fixture->kind->is_remote)
    path = g_strdup_printf ("%s&max_staleness=3600000&table=%s", get_server (), fixture->folder);
  else
    path = g_build_filename (fixture->folder, "store", NULL);
  options.path = path;
  if (fixture->kind->password != NULL)
    options.password = password =
        g_bytes_new (fixture->kind->password, strlen (fixture->kind->password));
  tier = fixture->kind->open (&options, main, &error);
  g_assert_no_error (error);
  watch_foreign (tier, main, foreign);
  return tier;
}

static inline void
set_up (Fixture *fixture, gconstpointer data)
{
  DsqTableState main;

  fixture->kind = data;
  fixture->folder = make_folder ();
  fixture->tier = open_one (fixture, &fixture->foreign, &main);
  g_assert_cmpuint (main.table, ==, DSQ_TABLE_MAIN);
  g_assert_cmpint (main.count, ==, 0);
  g_assert_cmpint (main.next, ==, place_of (1));
}

/* Nobody else has committed, so nobody is told so. */
static inline void
tear_down (Fixture *fixture, gconstpointer data)
{
  catch_up (fixture->tier);
  g_assert_true (dsq_cold_tier_is_current (fixture->tier));
  g_assert_cmpuint (fixture->foreign.n_calls, ==, 0);
  close_tier (fixture->tier);
  remove_folder (fixture->folder);
}

typedef struct
{
  const char *name;
  void (*run) (Fixture *fixture, gconstpointer kind);
} ContractTest;

static inline void
add_contract_tests (const char *part, const ContractTest *tests, guint n_tests)
{
  for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (guint t = 0; t < n_tests; t++)
      {
        g_autofree char *path = NULL;

        /* with a server it is this that is tried, all else without */
        if (kinds[k].is_remote != (get_server () != NULL))
          continue;
        path = g_strdup_printf ("/dsq/cold-contract/%s/%s/%s", part, kinds[k].name, tests[t].name);

        g_test_add (path, Fixture, &kinds[k], set_up, tests[t].run, tear_down);
      }
}

/* --- helpers ---------------------------------------------------------------------------------- */

static inline DsqKey
key_in (guint32 table, const char *text)
{
  DsqKey key = { (const guint8 *) text, (guint32) strlen (text), table, 0 };

  key.hash = dsq_hash (key.table, key.bytes, key.length);
  return key;
}

/* In a transaction under way. */
static inline void
set_in (DsqColdTier *tier, guint32 table, const char *text, gint64 expires)
{
  g_autoptr (GError) error = NULL;
  DsqKey key = key_in (table, text);
  DsqChange change = { .presence = DSQ_PRESENCE_UNKNOWN };
  DsqTableState state;

  g_assert_true (tier->funcs->get_table (tier, table, &state));
  change.entry = dsq_entry_new (&key, (const guint8 *) "\3v", 2, expires);
  change.place = state.next;
  g_assert_true (tier->funcs->apply (tier, &change, 1, &error));
  g_assert_no_error (error);
  dsq_entry_unref (change.entry);
}
