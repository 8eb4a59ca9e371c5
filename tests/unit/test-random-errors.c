/* test-random-errors.c - there are no random bytes, at one draw of what a sealed tier does
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A task is done again and again, and another draw of random bytes fails, or has somebody cancel
 * the task: either it is done all the same, or it says that it is not, and can be done then.
 */

#include "config.h"

#include "base/dsq-call-private.h"
#include "cold-support.h"
#include "cold/dsq-cold-upkeep-private.h"
#include "crypto/dsq-random-private.h"

#define N_ROWS    900  /* more than are written between two looks at the cancellable */
#define N_AHEAD   600  /* so many that a second thread seals them */
#define MAX_DRAWS 1000 /* of a task */

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
  char *other;  /* (owned) of a copy */
  DsqColdTier *tier;
  DsqColdTier *reader; /* (nullable) another one on its file */
  guint n_written;     /* times that rows were written */
  char value[16];      /* which they have */
} Fixture;

typedef struct
{
  const char *name;
  gboolean (*run) (Fixture *fixture, GError **error);
  gboolean seals_ahead;
} Task;

static guint n_left;            /* (atomic) draws, the last of which does not go well */
static GCancellable *to_cancel; /* (unowned) (nullable) by it; NULL: it fails */
static guint8 counter;

static gboolean
draw (guint8 *out, gsize length)
{
  const guint left = __atomic_load_n (&n_left, __ATOMIC_RELAXED);

  for (gsize i = 0; i < length; i++)
    out[i] = __atomic_add_fetch (&counter, 1, __ATOMIC_RELAXED);
  if (left == 0 || __atomic_sub_fetch (&n_left, 1, __ATOMIC_RELAXED) > 0)
    return TRUE;
  if (to_cancel == NULL)
    return FALSE;
  g_cancellable_cancel (to_cancel);
  return TRUE;
}

static DsqColdTier *
open_sealed (const char *path, gboolean seals_ahead)
{
  g_autoptr (GBytes) password = g_bytes_new_static ("password", 8);
  g_autoptr (GError) error = NULL;
  static Foreign foreign;
  DsqTableState state;
  const DsqColdOptions options = {
    .path = path,
    .busy_timeout_ms = 1000,
    .cache_bytes = 1 << 20,
    .wal_limit_bytes = 16 << 20,
    .password = password,
    .kdf_cost = { .memory = DSQ_KDF_MIN_MEMORY, .passes = DSQ_KDF_MIN_PASSES, .lanes = 1 },
    .kdf_limit = DSQ_KDF_DEFAULT_LIMIT,
    .seals_ahead = seals_ahead,
  };
  DsqColdTier *tier = path != NULL ? dsq_cold_tier_open_sqlite (&options, &state, &error)
                                   : dsq_cold_tier_new_private (&options, &state);

  g_assert_no_error (error);
  watch_foreign (tier, &state, &foreign);
  return tier;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
  fixture->other = g_build_filename (fixture->folder, "other", NULL);
  fixture->tier = open_sealed (fixture->path, ((const Task *) data)->seals_ahead);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  dsq_random_set_source (NULL);
  g_clear_pointer (&fixture->reader, close_tier);
  close_tier (fixture->tier);
  g_free (fixture->path);
  g_free (fixture->other);
  remove_folder (fixture->folder);
}

/* A nonce has a part that is drawn anew in each transaction. */
static gboolean
write_rows (Fixture *fixture, DsqColdTier *tier, guint n_rows, DsqPresence presence, GError **error)
{
  g_autofree DsqChange *changes = g_new (DsqChange, n_rows);
  DsqTableState state;
  gboolean done;

  g_snprintf (fixture->value, sizeof fixture->value, "%u", ++fixture->n_written);
  if (!tier->funcs->begin (tier, error))
    return FALSE;
  tier->funcs->get_table (tier, DSQ_TABLE_MAIN, &state);
  for (guint i = 0; i < n_rows; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      changes[i] = change_of (key, fixture->value, state.next + i, presence);
    }
  done = tier->funcs->apply (tier, changes, n_rows, error);
  for (guint i = 0; i < n_rows; i++)
    dsq_entry_unref (changes[i].entry);
  return end_transaction (tier, done, error);
}

static gboolean
write_new (Fixture *fixture, GError **error)
{
  return write_rows (fixture, fixture->tier, N_ROWS, DSQ_PRESENCE_UNKNOWN, error);
}

static gboolean
overwrite (Fixture *fixture, GError **error)
{
  return write_rows (fixture, fixture->tier, N_AHEAD, DSQ_PRESENCE_PRESENT, error);
}

static gboolean
make_tables (Fixture *fixture, GError **error)
{
  DsqColdTier *tier = fixture->tier;
  DsqTableState state;
  gboolean done = tier->funcs->begin (tier, error);

  if (!done)
    return FALSE;
  for (guint8 name = 'a'; name < 'e' && done; name++)
    done = tier->funcs->open_table (tier, &name, 1, TRUE, &state, error);
  return end_transaction (tier, done, error);
}

/* In memory alone, until there are rows. */
static gboolean
write_private (Fixture *fixture, GError **error)
{
  DsqColdTier *tier = open_sealed (NULL, FALSE);
  const gboolean done = write_rows (fixture, tier, 10, DSQ_PRESENCE_UNKNOWN, error);

  close_tier (tier);
  return done;
}

static gboolean cancels_at_end;

static void
note_progress (guint64 n_done, guint64 n_total, gpointer user_data)
{
  if (cancels_at_end && n_done == n_total)
    g_cancellable_cancel (to_cancel);
}

static gboolean
copy (Fixture *fixture, GError **error)
{
  g_autoptr (GBytes) password = g_bytes_new_static ("another", 7);
  const DsqColdCopyOptions options = {
    .path = fixture->other,
    .password = password,
    .kdf_cost = { .memory = DSQ_KDF_MIN_MEMORY, .passes = DSQ_KDF_MIN_PASSES, .lanes = 1 },
    .kdf_limit = DSQ_KDF_DEFAULT_LIMIT,
    .progress = note_progress,
  };
  const gboolean done = fixture->tier->upkeep->copy (fixture->tier, &options, error);

  g_assert_true (done == g_file_test (fixture->other, G_FILE_TEST_EXISTS));
  if (done)
    g_assert_no_errno (g_remove (fixture->other));
  return done;
}

/* Who cannot be told looks for himself. Of some of these numbers of rows, what tells of them takes
 * the draw. */
static gboolean
tell (Fixture *fixture, GError **error)
{
  for (guint n_rows = 5; n_rows < 12; n_rows++)
    {
      if (!write_rows (fixture, fixture->tier, n_rows, DSQ_PRESENCE_PRESENT, error))
        return FALSE;
      catch_up (fixture->reader);
      assert_value (fixture->reader, "key 0", fixture->value);
    }
  return TRUE;
}

static const Task new_rows = { "new", write_new, FALSE };
static const Task copied = { "copy", copy, FALSE };
static const Task others[] = {
  { "overwrite", overwrite, TRUE },
  { "tables", make_tables, FALSE },
  { "private", write_private, FALSE },
  { "tell", tell, FALSE },
};

static void
test_each_draw (Fixture *fixture, gconstpointer data)
{
  const Task *task = data;
  gboolean was_reached = TRUE;
  guint n_failed = 0;

  dsq_random_set_source (draw);
  g_assert_true (write_rows (fixture, fixture->tier, N_AHEAD, DSQ_PRESENCE_UNKNOWN, NULL));
  if (task->run == tell)
    fixture->reader = open_sealed (fixture->path, FALSE);
  if (task->run == copy)
    g_assert_true (make_tables (fixture, NULL));
  for (guint n = 1; was_reached; n++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpuint (n, <, MAX_DRAWS);
      n_left = n;
      task->run (fixture, &error);
      was_reached = n_left == 0;
      n_left = 0;
      if (error == NULL)
        continue;
      n_failed++;
      g_test_message ("%u: %s", n, error->message);
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_IO);
      g_clear_error (&error);
      g_assert_true (task->run (fixture, &error));
      g_assert_no_error (error);
    }
  g_assert_cmpuint (n_failed, >, 0);
}

/* --- the tests -------------------------------------------------------------------------------- */

/* FALSE: nobody has cancelled it. */
static gboolean
try_cancelled (Fixture *fixture, const Task *task)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  gboolean was_reached;
  DsqCall call = { NULL };

  to_cancel = cancellable;
  g_assert_true (dsq_call_begin (&call, cancellable, &error));
  task->run (fixture, &error);
  dsq_call_end (&call);
  n_left = 0;
  to_cancel = NULL;
  was_reached = g_cancellable_is_cancelled (cancellable);
  if (error == NULL)
    return was_reached;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_true (was_reached);
  return TRUE;
}

/* While many rows are written at once, too. */
static void
test_each_draw_cancels (Fixture *fixture, gconstpointer data)
{
  gboolean was_reached = TRUE;

  dsq_random_set_source (draw);
  g_assert_true (write_rows (fixture, fixture->tier, 10, DSQ_PRESENCE_UNKNOWN, NULL));
  for (guint n = 1; was_reached; n++)
    {
      g_assert_cmpuint (n, <, MAX_DRAWS);
      n_left = n;
      was_reached = try_cancelled (fixture, data);
    }
}

static void
test_cancelled_at_its_end (Fixture *fixture, gconstpointer data)
{
  g_assert_true (write_rows (fixture, fixture->tier, 10, DSQ_PRESENCE_UNKNOWN, NULL));
  cancels_at_end = TRUE;
  g_assert_true (try_cancelled (fixture, data));
  cancels_at_end = FALSE;
  g_assert_false (g_file_test (fixture->other, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autofree char *name = g_strconcat ("/dsq/random-errors/", others[i].name, NULL);

      g_test_add (name, Fixture, &others[i], set_up, test_each_draw, tear_down);
    }
#define ADD(path, task, func)                                                                      \
  g_test_add ("/dsq/random-errors/" path, Fixture, task, set_up, func, tear_down)
  ADD ("new", &new_rows, test_each_draw);
  ADD ("copy", &copied, test_each_draw);
  ADD ("each-draw-cancels", &new_rows, test_each_draw_cancels);
  ADD ("cancelled-at-its-end", &copied, test_cancelled_at_its_end);
  return g_test_run ();
}
