/* test-spill-errors.c - a store in memory whose temporary file cannot be written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* No temporary file can be made, or written to after a number of calls, until the medium is mended.
 */

#include "config.h"

#include <errno.h>

#include "dsq-error.h"
#include "dsq-store.h"
#include "fault-vfs.h"

#define N_KEYS 3000
#define LENGTH 200

/* --- the tests -------------------------------------------------------------------------------- */

static DsqStore *
open_store (gboolean background)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    "/nowhere/store.db",
                                    "persist-mode",
                                    DSQ_PERSIST_MEMORY,
                                    "hot-capacity",
                                    (guint64) 10,
                                    "warm-capacity",
                                    (guint64) 0,
                                    "dirty-limit",
                                    (guint64) 65536,
                                    "cache-size",
                                    (guint64) 65536,
                                    "background",
                                    background,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static gboolean
set (DsqStore *store, guint i, GError **error)
{
  g_autofree char *key = g_strdup_printf ("%u", i * 7919 % N_KEYS);
  g_autofree char *value = g_strnfill (LENGTH, (char) ('a' + i % 26));

  return dsq_store_set_string (store, key, value, NULL, error);
}

static void
assert_all (DsqStore *store, guint n)
{
  g_autoptr (GError) error = NULL;

  gint64 count = dsq_store_count (store, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpint (count, ==, n);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i * 7919 % N_KEYS);
      g_autofree char *expected = g_strnfill (LENGTH, (char) ('a' + i % 26));
      g_autofree char *value = dsq_store_get_string (store, key, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (value, ==, expected);
    }
}

/* One medium that fails; the number of keys that got in before it was noticed. */
static guint
fill_with_failure (gboolean background, const Fault *fault)
{
  DsqStore *store = open_store (background);
  g_autoptr (DsqStats) stats = NULL;
  g_autoptr (GError) error = NULL;
  guint n = 0, n_before;

  fault_arm (fault);
  while (n < N_KEYS && set (store, n, &error))
    n++;
  n_before = n;
  /* as long as the medium fails: then the thread may spill at once, and the error is over */
  stats = dsq_store_get_stats (store);
  fault_arm (NULL);
  if (n < N_KEYS)
    {
      g_assert_error (error,
                      DSQ_ERROR,
                      (int) (fault->error == ENOSPC ? DSQ_ERROR_NO_SPACE : DSQ_ERROR_NOT_FOUND));
      g_assert_nonnull (stats->last_error);
      g_clear_error (&error);
    }

  /* nothing was lost, and once the medium is mended it goes on */
  assert_all (store, n);
  for (; n < N_KEYS; n++)
    {
      set (store, n, &error);
      g_assert_no_error (error);
    }
  assert_all (store, N_KEYS);
  dsq_store_close (store, NULL, &error);
  g_assert_no_error (error);
  g_object_unref (store);
  return n_before;
}

static void
test_full_medium_is_told (gconstpointer data)
{
  guint n_failed = 0;

  for (guint n_calls = 0; n_calls < 400; n_calls += 1 + n_calls / 4)
    {
      const Fault fault = { FAULT_WRITE, ENOSPC, n_calls, TRUE, FAULT_TEMPORARY };

      n_failed += fill_with_failure (GPOINTER_TO_INT (data), &fault) < N_KEYS;
    }
  g_assert_cmpuint (n_failed, >, 10);
}

static void
test_missing_folder_is_told (gconstpointer data)
{
  const Fault fault = { FAULT_OPEN, ENOENT, 0, TRUE, FAULT_ALL };

  g_assert_cmpuint (fill_with_failure (GPOINTER_TO_INT (data), &fault), <, N_KEYS);
}

#define ADD(name, func)                                                                            \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_test_add_data_func ("/dsq/spill-errors/caller/" name, GINT_TO_POINTER (FALSE), func);        \
    g_test_add_data_func ("/dsq/spill-errors/thread/" name, GINT_TO_POINTER (TRUE), func);         \
  }                                                                                                \
  G_STMT_END

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fault_install ();
  ADD ("full-medium-is-told", test_full_medium_is_told);
  ADD ("missing-folder-is-told", test_missing_folder_is_told);
  return g_test_run ();
}
