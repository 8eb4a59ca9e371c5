/* test-cold-coherence.c - two stores on one file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/dsq-call-private.h"
#include "cold/dsq-cold-file-private.h"
#include "config.h"

#include <pthread.h>

#include "cold-support.h"

/* This program as another process: opens the store argv[2] and sets key argv[3] to argv[4]. */
#define WRITER_ARGUMENT "--write"

static const char *program; /* (unowned) argv[0] */

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
  Foreign foreign[2];
  DsqColdTier *tiers[2]; /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
  for (guint i = 0; i < 2; i++)
    fixture->tiers[i] = open_tier (fixture->path, &fixture->foreign[i]);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *left = NULL;

  for (guint i = 0; i < 2; i++)
    close_tier (fixture->tiers[i]);
  left = list_folder (fixture->folder);
  g_assert_cmpstr (left, ==, "store");
  assert_sound (fixture->path);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}

static void
checkpoint (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
  g_assert_no_error (error);
}

/* --- in one thread ---------------------------------------------------------------------------- */

static void
test_sees_each_commit_once (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 10; i++)
    {
      DsqColdTier *ours = fixture->tiers[i % 2], *theirs = fixture->tiers[(i + 1) % 2];
      Foreign *foreign = &fixture->foreign[(i + 1) % 2];
      g_autofree char *key = g_strdup_printf ("key %u", i);

      foreign->n_calls = 0;
      put (ours, key, "1");
      g_assert_true (dsq_cold_tier_is_current (ours));
      g_assert_false (dsq_cold_tier_is_current (theirs));
      catch_up (theirs);
      g_assert_true (dsq_cold_tier_is_current (theirs));
      catch_up (theirs);
      g_assert_cmpuint (foreign->n_calls, ==, 1);
      g_assert_cmpint (foreign->count, ==, i + 1);
      g_assert_cmpint (foreign->next, ==, place_of (i + 2));
      assert_value (theirs, key, "1");
    }
  g_assert_cmpuint (stats_of (fixture->tiers[0]).foreign_changes, ==, 5);
  g_assert_cmpuint (stats_of (fixture->tiers[1]).foreign_changes, ==, 5);
}

static void
test_begin_learns (Fixture *fixture, gconstpointer data)
{
  DsqTableState state;

  put (fixture->tiers[0], "a", "1");
  begin (fixture->tiers[1]);
  g_assert_cmpuint (fixture->foreign[1].n_calls, ==, 1);
  fixture->tiers[1]->funcs->get_table (fixture->tiers[1], DSQ_TABLE_MAIN, &state);
  g_assert_cmpint (state.count, ==, 1);
  g_assert_cmpint (state.next, ==, place_of (2));
  catch_up (fixture->tiers[1]);
  apply_one (fixture->tiers[1], "b", "1", DSQ_PRESENCE_UNKNOWN);
  commit (fixture->tiers[1]);
  g_assert_true (dsq_cold_tier_is_current (fixture->tiers[1]));
  g_assert_cmpuint (fixture->foreign[1].n_calls, ==, 1);
}

/* Nobody is current of a commit that is rolled back, or of one under way. */
static void
test_rollback_is_no_change (Fixture *fixture, gconstpointer data)
{
  begin (fixture->tiers[0]);
  apply_one (fixture->tiers[0], "a", "1", DSQ_PRESENCE_UNKNOWN);
  catch_up (fixture->tiers[0]);
  catch_up (fixture->tiers[1]);
  fixture->tiers[0]->funcs->rollback (fixture->tiers[0]);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (dsq_cold_tier_is_current (fixture->tiers[i]));
      g_assert_cmpuint (fixture->foreign[i].n_calls, ==, 0);
    }
}

typedef struct
{
  Fixture *fixture; /* (unowned) */
  guint n_calls;
} Published;

static void *
look_from_outside (void *user_data)
{
  Published *self = user_data;

  catch_up (self->fixture->tiers[1]);
  assert_value (self->fixture->tiers[1], "a", "1");
  g_assert_false (dsq_cold_tier_is_current (self->fixture->tiers[0]));
  return NULL;
}

/* The other tier stands for another process, so another thread has it: this one holds the lock of
 * what has been learned. */
static void
published_cb (gpointer user_data)
{
  Published *self = user_data;
  pthread_t thread;

  self->n_calls++;
  g_assert_cmpint (pthread_create (&thread, NULL, look_from_outside, self), ==, 0);
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
}

/* What others can read already is brought to memory before anybody finds the file current. */
static void
test_is_current_when_published (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0];
  Published published = { .fixture = fixture };
  g_autoptr (GError) error = NULL;

  begin (tier);
  apply_one (tier, "a", "1", DSQ_PRESENCE_UNKNOWN);
  tier->funcs->commit (tier, published_cb, &published, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (published.n_calls, ==, 1);
  g_assert_true (dsq_cold_tier_is_current (tier));
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 0);
}

/* A transaction beyond the page cache starts the log anew before its commit; it is rolled back. */
static void
test_restarted_log_is_no_change (Fixture *fixture, gconstpointer data)
{
  g_autofree char *value = g_strnfill (8 << 20, 'x');
  guint64 before;

  put (fixture->tiers[0], "a", "1");
  catch_up (fixture->tiers[1]);
  checkpoint (fixture->tiers[0]);

  before = fixture->tiers[0]->live_version[4];
  begin (fixture->tiers[0]);
  apply_one (fixture->tiers[0], "b", value, DSQ_PRESENCE_UNKNOWN);
  g_assert_cmpuint (before, !=, fixture->tiers[0]->live_version[4]);
  catch_up (fixture->tiers[0]);
  catch_up (fixture->tiers[1]);
  fixture->tiers[0]->funcs->rollback (fixture->tiers[0]);
  catch_up (fixture->tiers[0]);
  put (fixture->tiers[0], "c", "1");
  g_assert_true (dsq_cold_tier_is_current (fixture->tiers[0]));
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 0);
  g_assert_cmpuint (fixture->foreign[1].n_calls, ==, 1);
  catch_up (fixture->tiers[1]);
  g_assert_cmpuint (fixture->foreign[1].n_calls, ==, 2);
}

static void
test_own_commits_are_never_foreign (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0];
  guint n_restarts = 0;

  for (guint i = 0; i < 10000; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i % 100);
      guint64 before = tier->live_version[4];

      begin (tier);
      apply_one (tier, key, i % 7 == 3 ? NULL : "value", DSQ_PRESENCE_UNKNOWN);
      if (i % 5 == 4)
        tier->funcs->rollback (tier);
      else
        commit (tier);
      n_restarts += before != tier->live_version[4];
      g_assert_true (dsq_cold_tier_is_current (tier));
      if (i % 50 == 0)
        checkpoint (tier);
    }
  g_assert_cmpuint (n_restarts, >, 100);
  g_assert_cmpuint (stats_of (tier).foreign_changes, ==, 0);
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 0);
}

/* Others' commits between ours, each followed by a commit of ours that starts the log anew. */
static void
test_counts_what_is_foreign_over_restarts (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 100; i++)
    {
      put (fixture->tiers[1], "theirs", i % 2 ? "1" : "2");
      if (i % 2)
        catch_up (fixture->tiers[0]);
      checkpoint (fixture->tiers[0]);
      put (fixture->tiers[0], "ours", i % 2 ? "1" : "2");
      g_assert_true (dsq_cold_tier_is_current (fixture->tiers[0]));
    }
  g_assert_cmpuint (stats_of (fixture->tiers[0]).foreign_changes, ==, 100);
}

static void
test_stock_sqlite_is_seen (Fixture *fixture, gconstpointer data)
{
  DsqColdTier *tier = fixture->tiers[0];

  put (tier, "a", "1");
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 0);
  run_stock (fixture->path, "PRAGMA wal_checkpoint (TRUNCATE)");
  catch_up (tier);
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 0);
  put (tier, "b", "1");
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 0);
  run_stock (fixture->path,
             "BEGIN; DELETE FROM entry; UPDATE tables SET floor = 3, holes = 2; COMMIT");
  catch_up (tier);
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 1);
  g_assert_cmpint (fixture->foreign[0].count, ==, 0);
  run_stock (fixture->path, "VACUUM");
  catch_up (tier);
  g_assert_cmpuint (fixture->foreign[0].n_calls, ==, 2);
  put (tier, "c", "1");
  assert_value (tier, "c", "1");
}

/* Facts name the keys of each commit, also where the log begins anew, or very much is committed;
 * those of programs that know of no facts are everything, and the next is named again. */
static void
test_learns_which_keys (Fixture *fixture, gconstpointer data)
{
  g_autofree char *much = g_strnfill (12 << 20, 'x');
  const guint n_between = g_getenv ("DSQ_SHORT") != NULL ? 200 : 50;
  Foreign *foreign = &fixture->foreign[0];
  DsqColdTier *theirs = fixture->tiers[1];
  guint n_known;

  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *key = g_strdup_printf ("key%u", i);
      g_autofree char *keys = g_strconcat (key, " ", NULL);

      n_known = foreign->n_known;
      put (theirs, key, i % n_between == n_between - 1 ? much : "x");
      if (i % 20 == 19)
        checkpoint (fixture->tiers[i / 20 % 2]);
      catch_up (fixture->tiers[0]);
      g_assert_cmpuint (foreign->n_known, ==, n_known + 1);
      g_assert_cmpstr (foreign->last_keys, ==, keys);
      if (i % 7 == 0)
        put (fixture->tiers[0], "ours", key);
      if (i % 30 == 29)
        {
          run_stock (fixture->path,
                     "UPDATE tables SET holes = holes + 1;"
                     "DELETE FROM entry WHERE token = CAST ('ours' AS BLOB)");
          put (theirs, "after it", key);
          catch_up (fixture->tiers[0]);
          g_assert_cmpuint (foreign->n_known, ==, n_known + 1);
        }
    }
}

#define N_COMMITS 500

static gpointer
commit_often (gpointer tier)
{
  for (guint i = 0; i < N_COMMITS; i++)
    {
      /* what changes nothing is no commit */
      g_autofree char *value = g_strdup_printf ("%p %u", tier, i);

      put (tier, "k", value);
    }
  return NULL;
}

/* All commit all the time, so that few find their own header still there. */
static void
test_learns_which_keys_among_many_writers (Fixture *fixture, gconstpointer data)
{
  Foreign *foreign = &fixture->foreign[0];
  GThread *threads[2];

  for (guint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("writer", commit_often, fixture->tiers[i]);
  for (guint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (foreign->n_known, >=, foreign->n_calls / 2);
}

static void
test_waits_for_a_lock_up_to_the_timeout (Fixture *fixture, gconstpointer data)
{
  const DsqColdOptions options = {
    .path = fixture->path,
    .busy_timeout_ms = 100,
    .cache_bytes = 1 << 20,
    .wal_limit_bytes = 16 << 20,
  };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DsqCall call;
  g_autoptr (GError) error = NULL;
  DsqTableState state;
  gint64 started;
  DsqColdTier *tier = dsq_cold_tier_open_sqlite (&options, &state, &error);

  g_assert_no_error (error);
  begin (fixture->tiers[0]);
  dsq_patience_renew (); /* the tests before have waited, in what is one call to this thread */
  started = g_get_monotonic_time ();
  g_assert_false (tier->funcs->begin (tier, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  g_assert_cmpint (g_get_monotonic_time () - started, >=, 100 * 1000);
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);
  dsq_call_begin_for (&call, cancellable);
  g_assert_false (tier->funcs->begin (tier, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  dsq_call_end (&call);
  fixture->tiers[0]->funcs->rollback (fixture->tiers[0]);
  put (tier, "a", "1");
  close_tier (tier);
}

/* --- another process -------------------------------------------------------------------------- */

static int
write_as_other_process (char **argv)
{
  Foreign foreign = { 0 };
  DsqColdTier *tier = open_tier (argv[2], &foreign);

  put (tier, argv[3], argv[4]);
  close_tier (tier);
  return 0;
}

static void
test_other_process_is_seen (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *value = g_strdup_printf ("%u", i);
      const char *argv[] = { program, WRITER_ARGUMENT, fixture->path, "key", value, NULL };
      int status;

      g_assert_true (g_spawn_sync (NULL,
                                   (char **) argv,
                                   NULL,
                                   G_SPAWN_DEFAULT,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   &status,
                                   &error));
      g_assert_no_error (error);
      g_assert_true (g_spawn_check_wait_status (status, &error));
      g_assert_false (dsq_cold_tier_is_current (fixture->tiers[0]));
      catch_up (fixture->tiers[0]);
      catch_up (fixture->tiers[0]);
      g_assert_cmpuint (fixture->foreign[0].n_calls, ==, i + 1);
      assert_value (fixture->tiers[0], "key", value);
    }
}

/* --- many threads ----------------------------------------------------------------------------- */

#define N_ROUNDS 3000

typedef struct
{
  Fixture *fixture;
  guint committed;      /* (atomic) last number whose commit has returned */
  gboolean is_finished; /* (atomic) */
} Race;

static guint
read_number (DsqColdTier *tier)
{
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("number");
  g_autofree char *text = NULL;

  g_assert_true (dsq_cold_tier_get (tier, &key, &entry, NULL));
  if (entry == NULL)
    return 0;
  text = g_strndup ((const char *) dsq_entry_record (entry) + 1, entry->record_length - 1);
  return (guint) atoi (text);
}

static void *
write_numbers (void *user_data)
{
  Race *race = user_data;
  DsqColdTier *tier = race->fixture->tiers[0];

  for (guint i = 1; i <= N_ROUNDS; i++)
    {
      g_autofree char *value = g_strdup_printf ("%u", i);

      put (tier, "number", value);
      __atomic_store_n (&race->committed, i, __ATOMIC_RELEASE);
      if (i % 40 == 0)
        checkpoint_beside_others (tier);
    }
  __atomic_store_n (&race->is_finished, TRUE, __ATOMIC_RELEASE);
  return NULL;
}

static void *
commit_other_keys (void *user_data)
{
  Race *race = user_data;

  while (!__atomic_load_n (&race->is_finished, __ATOMIC_ACQUIRE))
    {
      put (race->fixture->tiers[1], "other", g_random_boolean () ? "1" : "2");
      g_usleep (200);
    }
  return NULL;
}

/* A number read before is good for as long as the tier is current and nothing foreign was told. */
static void *
read_numbers (void *user_data)
{
  Race *race = user_data;
  DsqColdTier *tier = race->fixture->tiers[1];
  guint *n_calls = &race->fixture->foreign[1].n_calls;
  guint cached = 0, cached_at = G_MAXUINT;

  while (!__atomic_load_n (&race->is_finished, __ATOMIC_ACQUIRE))
    {
      guint committed = __atomic_load_n (&race->committed, __ATOMIC_ACQUIRE);
      guint n_now;

      if (!dsq_cold_tier_is_current (tier))
        catch_up (tier);
      n_now = __atomic_load_n (n_calls, __ATOMIC_ACQUIRE);
      if (n_now != cached_at)
        cached = read_number (tier);
      cached_at = n_now;
      g_assert_cmpuint (cached, >=, committed);
    }
  return NULL;
}

static void
test_nobody_reads_stale_data (Fixture *fixture, gconstpointer data)
{
  Race race = { .fixture = fixture };
  pthread_t threads[4];

  g_assert_cmpint (pthread_create (&threads[0], NULL, write_numbers, &race), ==, 0);
  g_assert_cmpint (pthread_create (&threads[1], NULL, commit_other_keys, &race), ==, 0);
  for (guint i = 2; i < 4; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, read_numbers, &race), ==, 0);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      catch_up (fixture->tiers[i]);
      g_assert_true (dsq_cold_tier_is_current (fixture->tiers[i]));
      g_assert_cmpuint (read_number (fixture->tiers[i]), ==, N_ROUNDS);
    }
}

static void *
catch_up_all_the_time (void *user_data)
{
  Race *race = user_data;

  while (!__atomic_load_n (&race->is_finished, __ATOMIC_ACQUIRE))
    {
      catch_up (race->fixture->tiers[0]);
      read_number (race->fixture->tiers[0]);
    }
  return NULL;
}

/* Others that look while we commit do not take our commits for foreign. */
static void
test_onlookers_do_not_make_a_commit_foreign (Fixture *fixture, gconstpointer data)
{
  Race race = { .fixture = fixture };
  pthread_t threads[3];

  g_assert_cmpint (pthread_create (&threads[0], NULL, write_numbers, &race), ==, 0);
  for (guint i = 1; i < 3; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, catch_up_all_the_time, &race), ==, 0);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
  g_assert_cmpuint (stats_of (fixture->tiers[0]).foreign_changes, ==, 0);
}

/* --- the log's size --------------------------------------------------------------------------- */

static void *
write_much (void *user_data)
{
  Race *race = user_data;
  DsqColdTier *tier = race->fixture->tiers[0];
  g_autofree char *value = g_strnfill (100 * 1000, 'x');
  guint64 most = 0;

  for (guint i = 0; i < (g_getenv ("DSQ_SHORT") != NULL ? 20 : 3000); i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i % 500);

      memset (value, 'a' + (int) (i % 26), 1000);
      put (tier, key, value);
      if (tier->file->funcs->wants_checkpoint (tier->file, FALSE))
        checkpoint_beside_others (tier);
      most = MAX (most, stats_of (tier).wal_bytes);
    }
  g_test_message ("the log was at most %" G_GUINT64_FORMAT " bytes", most);
  /* twice the limit, and a transaction: a reader may be stopped within a read for long */
  g_assert_cmpuint (most, <, 2 * (16 << 20) + 200 * 1000);
  __atomic_store_n (&race->is_finished, TRUE, __ATOMIC_RELEASE);
  return NULL;
}

/* 300 MB (2 in short, when none is due) in small commits beside readers, with checkpoints. */
static void
test_log_stays_bounded (Fixture *fixture, gconstpointer data)
{
  Race race = { .fixture = fixture };
  pthread_t threads[3];

  g_assert_cmpint (pthread_create (&threads[0], NULL, write_much, &race), ==, 0);
  for (guint i = 1; i < 3; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, catch_up_all_the_time, &race), ==, 0);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/cold-coherence/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  if (argc == 5 && strcmp (argv[1], WRITER_ARGUMENT) == 0)
    return write_as_other_process (argv);

  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  ADD ("sees-each-commit-once", test_sees_each_commit_once);
  ADD ("begin-learns", test_begin_learns);
  ADD ("rollback-is-no-change", test_rollback_is_no_change);
  ADD ("is-current-when-published", test_is_current_when_published);
  ADD ("restarted-log-is-no-change", test_restarted_log_is_no_change);
  ADD ("own-commits-are-never-foreign", test_own_commits_are_never_foreign);
  ADD ("counts-what-is-foreign-over-restarts", test_counts_what_is_foreign_over_restarts);
  ADD ("stock-sqlite-is-seen", test_stock_sqlite_is_seen);
  ADD ("learns-which-keys", test_learns_which_keys);
  ADD ("learns-which-keys-among-many-writers", test_learns_which_keys_among_many_writers);
  ADD ("waits-for-a-lock-up-to-the-timeout", test_waits_for_a_lock_up_to_the_timeout);
  ADD ("other-process-is-seen", test_other_process_is_seen);
  ADD ("nobody-reads-stale-data", test_nobody_reads_stale_data);
  ADD ("onlookers-do-not-make-a-commit-foreign", test_onlookers_do_not_make_a_commit_foreign);
  ADD ("log-stays-bounded", test_log_stays_bounded);
  return g_test_run ();
}
