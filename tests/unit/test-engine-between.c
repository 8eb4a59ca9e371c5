/* test-engine-between.c - an engine whose file others change, or that stops, between two calls
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <poll.h>

#include "engine/dsq-engine-watch-private.h"
#include "faulty-file.h"

/* --- verbs ------------------------------------------------------------------------------------ */

static gboolean
leave_as_is (const DsqKey *key, DsqEntry *old, DsqEntry **out_new, gpointer data, GError **error)
{
  return TRUE;
}

static gboolean
modify (GError **error)
{
  DsqKey key = key_of ("a");

  return dsq_engine_modify (engine, DSQ_PROMISE_STAGED, &key, leave_as_is, NULL, error);
}

static gboolean
apply (const DsqEntry *change, const DsqEntry *expected, gboolean *out_applied, GError **error)
{
  DsqBatchTable table = { .id = DSQ_TABLE_MAIN };
  const DsqEngineBatch batch = {
    .promise = DSQ_PROMISE_STAGED,
    .tables = &table,
    .n_tables = 1,
    .changes = (DsqEntry *const *) &change,
    .n_changes = change != NULL,
    .expected = (DsqEntry *const *) &expected,
    .n_expected = expected != NULL,
  };

  return dsq_engine_apply (engine, &batch, out_applied, error);
}

/* Whether "a" is 1. */
static gboolean
compare (GError **error)
{
  DsqChange expected = change_of ("a", "1", 0, DSQ_PRESENCE_UNKNOWN);
  gboolean is_equal = FALSE;
  gboolean success = apply (NULL, expected.entry, &is_equal, error);

  dsq_entry_unref (expected.entry);
  g_assert_true (is_equal || !success);
  return success;
}

static gboolean
set_many (GError **error)
{
  DsqEntry *entry = change_of ("many", "2", 0, DSQ_PRESENCE_UNKNOWN).entry;

  return dsq_engine_set_many (engine, DSQ_PROMISE_STAGED, &entry, 1, error);
}

static gboolean
set_one (GError **error)
{
  return set_to (DSQ_PROMISE_STAGED, "one", "2", error);
}

static gboolean
clear (GError **error)
{
  return dsq_engine_clear (engine, DSQ_PROMISE_STAGED, DSQ_TABLE_MAIN, error);
}

/* --- while a commit holds what was staged ----------------------------------------------------- */

static const struct
{
  const char *name;
  gboolean (*run) (GError **error);
} verbs[] = {
  { "modify", modify },
  { "set-many", set_many },
  { "set", set_one },
  { "clear", clear },
};

#define MEANWHILE_US (20 * 1000)

typedef struct
{
  GThread *thread;           /* (owned) */
  GCancellable *cancellable; /* (owned) */
  gboolean (*run) (GError **error);
} Other;

static Other others[2][G_N_ELEMENTS (verbs)]; /* that are cancelled, and that wait */

static gpointer
run_other (gpointer data)
{
  const Other *self = data;
  g_auto (DsqCall) call = { 0 };
  GError *error = NULL;

  g_assert_true (dsq_call_begin (&call, self->cancellable, NULL));
  g_assert_true (self->run (&error) == (error == NULL));
  return error;
}

static void
start_others (void)
{
  for (guint i = 0; i < 2; i++)
    for (guint n = 0; n < G_N_ELEMENTS (verbs); n++)
      {
        others[i][n].cancellable = g_cancellable_new ();
        others[i][n].run = verbs[n].run;
        others[i][n].thread = g_thread_new (verbs[n].name, run_other, &others[i][n]);
      }
  g_usleep (MEANWHILE_US);
  for (guint n = 0; n < G_N_ELEMENTS (verbs); n++)
    {
      g_autoptr (GError) error = NULL;

      g_cancellable_cancel (others[0][n].cancellable);
      error = g_thread_join (others[0][n].thread);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
}

/* Who is cancelled meanwhile has changed nothing, and whoever waits goes on. */
static void
test_held_by_a_commit (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  open_engine (self, &usual);
  stage ("s");
  real.before_commit = start_others;
  g_assert_true (set_to (DSQ_PROMISE_COMMITTED, "t", "2", &error));
  g_assert_no_error (error);
  for (guint n = 0; n < G_N_ELEMENTS (verbs); n++)
    {
      g_assert_null (g_thread_join (others[1][n].thread));
      for (guint i = 0; i < 2; i++)
        g_object_unref (others[i][n].cancellable);
    }
  assert_holds ("s", NULL);
  close_engine ();
}

static gint is_held; /* (atomic) */

static void
be_held (void)
{
  g_atomic_int_set (&is_held, TRUE);
  g_usleep (MEANWHILE_US);
}

static gpointer
commit_other (gpointer data)
{
  g_autoptr (GError) error = NULL;

  set_to (DSQ_PROMISE_COMMITTED, "t", "2", &error);
  g_assert_no_error (error);
  return NULL;
}

static GThread *committer;

static void
wait_until_held (void)
{
  real.after_get = NULL;
  real.before_commit = be_held;
  committer = g_thread_new ("committer", commit_other, NULL);
  while (!g_atomic_int_get (&is_held))
    g_usleep (100);
}

/* The same where the commit begins while the file is being read. */
static void
test_held_behind_a_read (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  open_engine (self, &usual);
  stage ("s");
  real.after_get = wait_until_held;
  g_assert_true (modify (&error));
  g_assert_no_error (error);
  g_thread_join (committer);
  assert_holds ("t", "2");
  close_engine ();
}

/* --- changed again and again ------------------------------------------------------------------ */

static guint n_changes;

/* What was read is old, as often as it is read without the file being stopped. */
static void
change_meanwhile (void)
{
  g_autoptr (GError) error = NULL;

  if (n_changes == 3)
    return;
  stage ("other");
  g_assert_true (dsq_engine_flush (engine, &error));
  if (++n_changes == 3)
    fail_after (CALL_BEGIN, 0, DSQ_ERROR_BUSY);
}

static void
test_stopped_in_vain (Fixture *self, gconstpointer run)
{
  gboolean (*verb) (GError * *error) = (gboolean (*) (GError **)) run;
  g_autoptr (GError) error = NULL;

  open_engine (self, &usual);
  n_changes = 0;
  real.after_get = change_meanwhile;
  g_assert_false (verb (&error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  g_clear_error (&error);
  n_changes = 0;
  g_assert_true (dsq_engine_flush (engine, &error));
  real.n_passes[CALL_BEGIN] = NEVER;
  n_changes = 3;
  g_assert_true (verb (&error));
  g_assert_no_error (error);
  close_engine ();
}

/* Where nobody else commits there is nothing to stop but what this process commits. */
static void
test_stopped_alone (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  open_engine (self, &usual);
  engine->cold->live_version = NULL;
  n_changes = 0;
  real.after_get = change_meanwhile;
  g_assert_true (modify (&error));
  g_assert_no_error (error);
  g_assert_cmpuint (n_changes, ==, 3);
  real.n_passes[CALL_BEGIN] = NEVER;
  close_engine ();
}

/* --- other things that come between ----------------------------------------------------------- */

#define HOUR (3600 * 1000)

static void
let_time_pass (void)
{
  dsq_engine_set_clock_offset (engine, 2 * HOUR);
}

/* What expires while it is looked at is not there any more. */
static void
test_expires_behind_a_read (Fixture *self, gconstpointer data)
{
  DsqKey key = key_of ("e");
  g_autoptr (DsqEntry) entry = NULL;
  g_autoptr (GError) error = NULL;
  gboolean applied = TRUE;

  open_engine (self, &usual);
  entry = dsq_entry_new (&key, (const guint8 *) "\1", 1, g_get_real_time () / 1000 + HOUR);
  dsq_engine_set (engine, DSQ_PROMISE_COMMITTED, &key, dsq_entry_ref (entry), &error);
  close_engine ();
  open_engine (self, &usual);
  real.after_get = let_time_pass;
  g_assert_true (apply (NULL, entry, &applied, &error));
  g_assert_no_error (error);
  g_assert_false (applied);
  real.after_get = NULL;
  close_engine ();
}

/* Of rows that are to go, and cannot be read, it is enough to know whether they are there. */
static void
test_removes_what_is_damaged (Fixture *self, gconstpointer data)
{
  DsqChange there = change_of ("a", NULL, 0, 0), gone = change_of ("x", NULL, 0, 0);
  g_autoptr (GError) error = NULL;
  gboolean applied;

  open_engine (self, &usual);
  fail_after (CALL_GET, 0, DSQ_ERROR_CORRUPT);
  real.next_code = DSQ_ERROR_IO;
  g_assert_false (apply (there.entry, NULL, &applied, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (&error);
  for (guint i = 0; i < 2; i++)
    {
      fail_after (CALL_GET, 0, DSQ_ERROR_CORRUPT);
      real.next_code = DSQ_ERROR_CORRUPT;
      g_assert_true (apply (i == 0 ? there.entry : gone.entry, NULL, &applied, &error));
      g_assert_no_error (error);
    }
  assert_holds ("a", NULL);
  dsq_entry_unref (there.entry);
  dsq_entry_unref (gone.entry);
  close_engine ();
}

/* Nothing is left to flush where others have committed, and marks of what had expired are void. */
static void
test_flushes_nothing (Fixture *self, gconstpointer data)
{
  DsqKey key = key_of ("e");
  g_autoptr (GError) error = NULL;
  guint64 n_keys;

  open_engine (self, &usual);
  dsq_engine_set (engine,
                  DSQ_PROMISE_COMMITTED,
                  &key,
                  dsq_entry_new (&key, (const guint8 *) "\1", 1, g_get_real_time () / 1000 + HOUR),
                  &error);
  g_assert_no_error (error);
  dsq_engine_set_clock_offset (engine, 2 * HOUR);
  g_assert_true (dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, &error));
  g_assert_cmpuint (n_keys, ==, 1);
  put_other ();
  g_assert_true (dsq_engine_flush (engine, &error));
  g_assert_no_error (error);
  g_assert_true (dsq_engine_count (engine, DSQ_TABLE_MAIN, &n_keys, &error));
  g_assert_cmpuint (n_keys, ==, 2);
  close_engine ();
}

static void
drop_by_other (DsqColdTier *tier)
{
  Foreign foreign;
  DsqColdTier *other = open_other (&foreign);
  guint32 dropped;

  begin (other);
  g_assert_true (other->funcs->drop_table (other, (const guint8 *) "t", 1, &dropped, NULL));
  commit (other);
  close_tier (other);
  if (tier != NULL)
    g_assert_true (real.funcs->catch_up (tier, NULL));
}

/* A table that is dropped in vain, and by another process at the same time, is gone. */
static void
test_dropped_by_another (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint32 table, anew;
  gboolean dropped;

  open_engine (self, &usual);
  dsq_engine_open_table (engine, DSQ_PROMISE_STAGED, (const guint8 *) "t", 1, &table, &error);
  g_assert_no_error (error);
  fail_after (CALL_COMMIT, 0, DSQ_ERROR_IO);
  real.after_rollback = drop_by_other;
  g_assert_false (dsq_engine_drop_table (engine, (const guint8 *) "t", 1, &dropped, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (dsq_engine_check_open (engine, table, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
  g_clear_error (&error);
  dsq_engine_open_table (engine, DSQ_PROMISE_STAGED, (const guint8 *) "t", 1, &anew, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (anew, !=, table);
  close_engine ();
}

/* Who watches is told that anything may have changed where it cannot be learned what. */
static void
test_watches_what_cannot_be_learned (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) keys = NULL;
  DsqWatcher *watcher;
  struct pollfd polled;
  gboolean has_ended;

  open_engine (self, &usual);
  watcher = dsq_watcher_new ((const guint8 *) "", 0, &error);
  watcher->table = DSQ_TABLE_MAIN;
  g_assert_true (dsq_engine_add_watcher (engine, watcher, &error));
  fail_after (CALL_CATCH_UP, 0, DSQ_ERROR_IO);
  put_other ();
  polled = (struct pollfd){ watcher->fd, POLLIN, 0 };
  g_assert_cmpint (poll (&polled, 1, 60000), ==, 1);
  keys = dsq_watcher_take (watcher, &has_ended);
  g_assert_null (keys);
  g_assert_false (has_ended);
  dsq_engine_remove_watcher (watcher);
  dsq_watcher_free (watcher);
  close_engine ();
}

static DsqWatcher *
watch (guint32 table, gconstpointer owner)
{
  g_autoptr (GError) error = NULL;
  DsqWatcher *watcher = dsq_watcher_new ((const guint8 *) "", 0, &error);

  g_assert_no_error (error);
  watcher->table = table;
  watcher->owner = owner;
  g_assert_true (dsq_engine_add_watcher (engine, watcher, &error));
  g_assert_no_error (error);
  return watcher;
}

/* Of the watches that go over to another engine those of a table that is gone end where they are,
 * also where nobody has looked since. */
static void
test_watches_go_over (Fixture *self, gconstpointer data)
{
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;
  DsqWatcher *watchers[2];
  DsqEngine *writer;
  guint32 table;

  open_engine (self, &usual);
  ((DsqColdTierFuncs *) engine->cold->funcs)->open_notice = NULL;
  dsq_engine_open_table (engine, DSQ_PROMISE_STAGED, (const guint8 *) "t", 1, &table, &error);
  g_assert_no_error (error);
  watchers[0] = watch (DSQ_TABLE_MAIN, self);
  watchers[1] = watch (table, self);
  drop_by_other (NULL);
  options.path = self->path;
  writer = dsq_engine_open (&options, &error);
  g_assert_no_error (error);
  g_assert_true (dsq_engine_adopt (writer, engine, &error));
  g_assert_true (dsq_engine_move_watchers (writer, engine, self, &error));
  g_assert_no_error (error);
  g_assert_true (watchers[0]->engine == writer);
  g_assert_true (watchers[1]->engine == engine);
  for (guint i = 0; i < 2; i++)
    {
      dsq_engine_remove_watcher (watchers[i]);
      dsq_watcher_free (watchers[i]);
    }
  g_assert_true (dsq_engine_close (writer, &error));
  dsq_engine_unref (writer);
  close_engine ();
}

/* A call that is cancelled before its turn changes nothing. */
static void
test_cancelled_among_others (Fixture *self, gconstpointer data)
{
  const DsqPromise promises[] = { DSQ_PROMISE_STAGED, DSQ_PROMISE_COMMITTED };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DsqCall call = { 0 };

  open_engine (self, &usual);
  g_assert_true (dsq_call_begin (&call, cancellable, NULL));
  g_cancellable_cancel (cancellable);
  for (guint i = 0; i < G_N_ELEMENTS (promises); i++)
    {
      DsqChange changes[] = { change_of ("n", "1", 0, 0), change_of ("m", "1", 0, 0) };
      DsqEachWrite writes[] = { { .entry = changes[0].entry }, { .entry = changes[1].entry } };

      dsq_engine_write_each (engine, promises[i], writes, 2);
      for (guint n = 0; n < 2; n++)
        {
          g_assert_error (writes[n].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          g_error_free (writes[n].error);
          dsq_entry_unref (changes[n].entry);
        }
    }
  dsq_call_end (&call);
  assert_holds ("n", NULL);
  assert_holds ("m", NULL);
  close_engine ();
}

/* --- walks ------------------------------------------------------------------------------------ */

static void
assert_walked (DsqWalk *walk, guint max_rows, const char *expected)
{
  g_autoptr (GArray) rows = g_array_new (FALSE, FALSE, sizeof (DsqWalkRow));
  g_autoptr (GString) walked = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_engine_walk (engine, walk, max_rows, G_MAXSIZE, FALSE, rows, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < rows->len; i++)
    {
      DsqEntry *entry = g_array_index (rows, DsqWalkRow, i).entry;

      g_string_append_len (walked, (const char *) dsq_entry_key (entry), entry->key_length);
      dsq_entry_unref (entry);
    }
  g_assert_cmpstr (walked->str, ==, expected);
}

/* What a walk ends before had come to the file when what waits for it was shifted. */
static void
test_walks_as_others_put (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DsqWalk ended, open;

  open_engine (self, &usual);
  stage ("c");
  g_assert_true (flush_engine (&error));
  g_assert_true (dsq_engine_start_walk (engine, DSQ_TABLE_MAIN, DSQ_WALK_FORWARD, &ended, &error));
  assert_walked (&ended, 1, "a");
  stage ("d");
  stage ("e");
  g_assert_true (flush_engine (&error));
  stage ("f");
  g_assert_true (dsq_engine_start_walk (engine, DSQ_TABLE_MAIN, DSQ_WALK_FORWARD, &open, &error));
  assert_walked (&open, 1, "a");
  put_others ();
  assert_holds ("b", "1");
  assert_walked (&ended, 10, "c");
  assert_walked (&open, 10, "cdebf");
  dsq_engine_end_walk (engine, &ended);
  dsq_engine_end_walk (engine, &open);
  close_engine ();
}

/* A store that only reads walks past what has expired, in memory as in the file. */
static void
test_walks_past_expired (Fixture *self, gconstpointer data)
{
  DsqEngineOptions options = usual;
  g_autoptr (GError) error = NULL;
  Foreign foreign;
  DsqColdTier *tier;
  DsqWalk walk;

  make_store (self->path);
  tier = open_tier (self->path, &foreign);
  begin (tier);
  for (guint i = 0; i < 2; i++)
    {
      DsqChange change = { .presence = DSQ_PRESENCE_ABSENT };
      DsqKey key = key_of (i == 0 ? "h" : "f");

      change.entry =
          dsq_entry_new (&key, (const guint8 *) "\3v", 2, g_get_real_time () / 1000 + HOUR);
      g_assert_true (tier->funcs->apply (tier, &change, 1, &error));
      dsq_entry_unref (change.entry);
    }
  commit (tier);
  close_tier (tier);
  options.read_only = TRUE;
  open_engine (self, &options);
  g_assert_true (dsq_engine_start_walk (engine, DSQ_TABLE_MAIN, DSQ_WALK_FORWARD, &walk, &error));
  assert_walked (&walk, 10, "ahf");
  dsq_engine_end_walk (engine, &walk);
  assert_holds ("h", "v");
  dsq_engine_set_clock_offset (engine, 2 * HOUR);
  g_assert_true (dsq_engine_start_walk (engine, DSQ_TABLE_MAIN, DSQ_WALK_FORWARD, &walk, &error));
  assert_walked (&walk, 10, "a");
  dsq_engine_end_walk (engine, &walk);
  close_engine ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, data, test)                                                                      \
  g_test_add ("/dsq/engine-between/" path, Fixture, data, set_up, test, tear_down)
  ADD ("held-by-a-commit", NULL, test_held_by_a_commit);
  ADD ("held-behind-a-read", NULL, test_held_behind_a_read);
  ADD ("stopped-in-vain/modify", modify, test_stopped_in_vain);
  ADD ("stopped-in-vain/compare", compare, test_stopped_in_vain);
  ADD ("stopped-alone", NULL, test_stopped_alone);
  ADD ("expires-behind-a-read", NULL, test_expires_behind_a_read);
  ADD ("removes-what-is-damaged", NULL, test_removes_what_is_damaged);
  ADD ("flushes-nothing", NULL, test_flushes_nothing);
  ADD ("dropped-by-another", NULL, test_dropped_by_another);
  ADD ("watches-what-cannot-be-learned", NULL, test_watches_what_cannot_be_learned);
  ADD ("watches-go-over", NULL, test_watches_go_over);
  ADD ("cancelled-among-others", NULL, test_cancelled_among_others);
  ADD ("walks-as-others-put", NULL, test_walks_as_others_put);
  ADD ("walks-past-expired", NULL, test_walks_past_expired);
  return run_inside ();
}
