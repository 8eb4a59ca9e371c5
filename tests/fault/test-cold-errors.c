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

/* --- while the medium is slow ----------------------------------------------------------------- */

#define SYNC_US 30000

static gpointer
sync_in_thread (gpointer data)
{
  DsqColdTier *tier = data;
  g_autoptr (GError) error = NULL;

  return GINT_TO_POINTER (tier->file->funcs->sync (tier->file, &error));
}

/* Who waits for a sync of somebody else's has what that one has: it is done, or has failed. */
static void
test_a_sync_is_for_all_who_wait (gconstpointer data)
{
  const Fault fault = { FAULT_SYNC, EIO, 0, TRUE, FAULT_LOG };
  const gboolean does_fail = GPOINTER_TO_INT (data);
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  GThread *threads[2];
  Foreign foreign;
  DsqColdTier *tier = open_tier (path, &foreign);

  put (tier, "a", "1");
  fault_arm (does_fail ? &fault : NULL);
  fault_set_delay (FAULT_SYNC, FAULT_LOG, SYNC_US);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("sync", sync_in_thread, tier);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (threads[i])), ==, !does_fail);
  fault_set_delay (FAULT_SYNC, FAULT_LOG, 0);
  fault_arm (NULL);
  g_assert_cmpuint (stats_of (tier).syncs, ==, does_fail ? 0 : 1);
  tier->funcs->close (tier, NULL);
  remove_folder (folder);
}

static char *moved_from; /* (unowned) (nullable) */

static void
move_file (const FaultCall *call)
{
  g_autofree char *to = NULL;

  if (moved_from == NULL || call->kind != FAULT_SYNC)
    return;
  to = g_strconcat (moved_from, "-moved", NULL);
  g_assert_no_errno (g_rename (moved_from, to));
  moved_from = NULL;
}

/* Nothing is acknowledged that is in a file which went while the medium was waited for. */
static void
test_a_file_that_goes_meanwhile (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  const DsqColdOptions options = { .path = path,
                                   .full_durability = TRUE,
                                   .cache_bytes = 1 << 20,
                                   .wal_limit_bytes = 1 << 20 };
  g_autoptr (GError) error = NULL;
  DsqTableState state;
  Foreign foreign;
  DsqColdTier *tier;

  make_store (path);
  tier = dsq_cold_tier_open_sqlite (&options, &state, &error);
  g_assert_no_error (error);
  watch_foreign (tier, &state, &foreign);
  begin (tier);
  apply_one (tier, "b", "1", DSQ_PRESENCE_UNKNOWN);
  fault_record (move_file);
  moved_from = path;
  g_assert_false (tier->funcs->commit (tier, NULL, NULL, &error));
  g_assert_null (moved_from);
  fault_record (NULL);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  tier->funcs->close (tier, NULL);
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
  ADD ("a-sync-is-for-all-who-wait", test_a_sync_is_for_all_who_wait, FALSE);
  ADD ("a-failed-sync-is-for-all-who-wait", test_a_sync_is_for_all_who_wait, TRUE);
  g_test_add_func ("/dsq/cold-errors/a-file-that-goes-meanwhile", test_a_file_that_goes_meanwhile);
  return g_test_run ();
}
