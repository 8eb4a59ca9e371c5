/* test-cold-errors.c - the cold tier on a medium that fails
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One write fails, and all after it until the medium is mended: each in turn that a transaction, a
 * sync and a checkpoint make.
 */

#include "config.h"

#include <errno.h>

#include "cold-support.h"
#include "cold/dsq-cold-file-private.h"
#include "fault-vfs.h"

/* --- the tests -------------------------------------------------------------------------------- */

/* A transaction beyond the page cache, so that it writes before its commit too. */
static gboolean
write_and_sync (DsqColdTier *tier, GError **error)
{
  g_autofree char *value = g_strnfill (20000, 'x');

  if (!tier->funcs->begin (tier, error))
    return FALSE;
  for (guint i = 0; i < 80; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);
      DsqTableState state;
      DsqChange change;
      gboolean applied;

      tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
      change = change_of (key, value, state.next, DSQ_PRESENCE_UNKNOWN);
      applied = tier->funcs->apply (tier, &change, 1, error);
      dsq_entry_unref (change.entry);
      if (!applied)
        {
          tier->funcs->rollback (tier);
          return FALSE;
        }
    }
  return tier->funcs->commit (tier, NULL, NULL, error) &&
         tier->file->funcs->sync (tier->file, error) &&
         tier->file->funcs->checkpoint (tier->file, error);
}

/* One medium that fails after @n_calls calls; TRUE when that was too late to be noticed. */
static gboolean
try_with_failure (const char *path, int error_number, guint n_calls)
{
  const Fault fault = { FAULT_WRITE, error_number, n_calls, TRUE, FAULT_ALL };
  Foreign foreign;
  DsqColdTier *tier = open_tier (path, &foreign);
  g_autoptr (GError) error = NULL;
  gboolean done;

  put (tier, "before", "1");
  fault_arm (&fault);
  done = write_and_sync (tier, &error);
  fault_arm (NULL);
  if (done)
    g_assert_no_error (error);
  else
    g_assert_error (error,
                    DSQ_ERROR,
                    (int) (error_number == ENOSPC ? DSQ_ERROR_NO_SPACE : DSQ_ERROR_IO));

  /* what was there is there, and the medium is usable once it is mended */
  assert_value (tier, "before", "1");
  put (tier, "after", "1");
  assert_value (tier, "after", "1");
  catch_up (tier);
  g_assert_cmpuint (foreign.n_calls, ==, 0);
  g_clear_error (&error);
  g_assert_true (write_and_sync (tier, &error));
  g_assert_no_error (error);
  close_tier (tier);
  assert_sound (path);
  assert_stock (path, "SELECT count(*) FROM entry", "82");
  return done;
}

static void
test_failing_medium_is_told (gconstpointer data)
{
  gboolean done = FALSE;
  guint n_failed = 0;

  /* the first calls one by one, as the log begins; then with growing steps */
  for (guint n_calls = 0; !done; n_calls += 1 + n_calls / 20)
    {
      char *folder = make_folder ();
      g_autofree char *path = g_build_filename (folder, "store", NULL);

      done = try_with_failure (path, GPOINTER_TO_INT (data), n_calls);
      n_failed += !done;
      remove_folder (folder);
    }
  g_assert_cmpuint (n_failed, >, 20);
}

/* A sync that failed is final, whatever a later one would say. */
static void
test_failed_sync_is_final (void)
{
  const Fault fault = { FAULT_SYNC, EIO, 0, TRUE, FAULT_ALL };
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  Foreign foreign;
  DsqColdTier *tier = open_tier (path, &foreign);

  put (tier, "a", "1");
  fault_arm (&fault);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_false (tier->file->funcs->sync (tier->file, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN);
      g_clear_error (&error);
    }
  fault_arm (NULL);
  g_assert_false (tier->file->funcs->sync (tier->file, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN);
  g_clear_error (&error);
  g_assert_false (tier->file->funcs->checkpoint (tier->file, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_assert_cmpuint (stats_of (tier).syncs, ==, 0);
  assert_value (tier, "a", "1");
  close_tier (tier);
  remove_folder (folder);
}

/* Closing says that the log could not be folded in, but on a full medium, where there is nothing to
 * be done about it; either way nothing is lost. */
static void
test_failed_close_loses_nothing (gconstpointer data)
{
  const Fault fault = { FAULT_WRITE, GPOINTER_TO_INT (data), 0, TRUE, FAULT_ALL };
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  Foreign foreign;
  DsqColdTier *tier = open_tier (path, &foreign);

  put (tier, "a", "1");
  fault_arm (&fault);
  if (fault.error == ENOSPC)
    {
      g_assert_true (tier->funcs->close (tier, &error));
      g_assert_no_error (error);
    }
  else
    {
      g_assert_false (tier->funcs->close (tier, &error));
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
    }
  fault_arm (NULL);
  tier = open_tier (path, &foreign);
  assert_value (tier, "a", "1");
  close_tier (tier);
  assert_sound (path);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fault_install ();
#define ADD(name, test, error)                                                                     \
  g_test_add_data_func ("/dsq/cold-errors/" name, GINT_TO_POINTER (error), test)
  ADD ("full-medium-is-told", test_failing_medium_is_told, ENOSPC);
  ADD ("failing-medium-is-told", test_failing_medium_is_told, EIO);
  ADD ("failed-close-on-a-full-medium-loses-nothing", test_failed_close_loses_nothing, ENOSPC);
  ADD ("failed-close-loses-nothing", test_failed_close_loses_nothing, EIO);
  g_test_add_func ("/dsq/cold-errors/failed-sync-is-final", test_failed_sync_is_final);
  return g_test_run ();
}
