/* test-power-cuts.c - what a medium may hold when the power fails, opened
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The power fails after each call that writes to a store or its log: what was synced is on the
 * medium, and of what came after it any part, sector by sector, also of the names in the folder; or
 * of these all, as most systems have it. Each such file opens, with every write in it that was
 * synced, and is sound. In particular its log is never taken for that of another file, whatever of
 * the page that tells this has got to the medium.
 */

#include "config.h"

#include "../run-length.h"
#include "cold-support.h"
#include "cold/dsq-cold-file-private.h"
#include "fault-record.h"

#define N_STEPS      60
#define N_KEYS       40
#define N_IMAGES     10000 /* of one run of the steps */
#define N_IN_A_HURRY 1000  /* where any of them may be the last */
typedef struct
{
  guint n_calls; /* when it was acknowledged */
  guint step;    /* its value; all before it are there as well */
} Synced;

static GArray *synced; /* (owned) of Synced */

/* --- what is done ----------------------------------------------------------------------------- */

static DsqColdTier *
open_to_sync (const char *path, Foreign *foreign, gboolean syncs)
{
  const DsqColdOptions options = {
    .path = path,
    .full_durability = syncs,
    .busy_timeout_ms = 1000,
    .cache_bytes = 64 << 10, /* of which a large transaction writes before its end */
    .wal_limit_bytes = 1 << 20,
  };
  g_autoptr (GError) error = NULL;
  DsqTableState state;
  DsqColdTier *tier = dsq_cold_tier_open_sqlite (&options, &state, &error);

  g_assert_no_error (error);
  watch_foreign (tier, &state, foreign);
  return tier;
}

static void
note_synced (guint step)
{
  const Synced now = { fault_record_get_n_calls (), step };

  g_array_append_val (synced, now);
}

/* The key "last" is written by each step, and all of a step with it. */
static void
write_step (DsqColdTier *tier, guint step, GRand *random)
{
  g_autofree char *number = g_strdup_printf ("%u", step);
  guint n_keys = g_rand_int_range (random, 0, 16) == 0 ? N_KEYS : 2;

  begin (tier);
  apply_one (tier, "last", number, DSQ_PRESENCE_UNKNOWN);
  for (guint i = 0; i < n_keys; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %d", g_rand_int_range (random, 0, N_KEYS));
      g_autofree char *value = g_strnfill ((gsize) g_rand_int_range (random, 10, 4000), 'x');

      apply_one (tier, key, value, DSQ_PRESENCE_UNKNOWN);
    }
  commit (tier);
}

static void
run_steps (const char *path, gboolean syncs, GRand *random)
{
  Foreign foreign;
  DsqColdTier *tier = open_to_sync (path, &foreign, syncs);

  for (guint step = 1; step <= N_STEPS; step++)
    {
      gboolean is_synced = syncs;
      g_autoptr (GError) error = NULL;

      write_step (tier, step, random);
      switch (g_rand_int_range (random, 0, 12))
        {
        case 0:
        case 1:
        case 2:
          g_assert_true (tier->file->funcs->checkpoint (tier->file, &error));
          break;
        case 3:
          is_synced = tier->file->funcs->sync (tier->file, &error);
          break;
        case 4:
          close_tier (tier);
          tier = open_to_sync (path, &foreign, syncs);
          break;
        default:
          break;
        }
      g_assert_no_error (error);
      if (is_synced)
        note_synced (step);
    }
  note_synced (0);
  close_tier (tier);
}

static guint
find_synced (guint n_calls)
{
  guint step = 0;

  for (guint i = 0; i < synced->len; i++)
    if (g_array_index (synced, Synced, i).n_calls <= n_calls)
      step = MAX (step, g_array_index (synced, Synced, i).step);
  return step;
}

static guint
read_last (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqEntry) entry = NULL;
  DsqKey key = key_of ("last");

  g_assert_true (dsq_cold_tier_get (tier, &key, &entry, &error));
  g_assert_no_error (error);
  if (entry == NULL)
    return 0;
  return (guint) g_ascii_strtoull ((const char *) dsq_entry_record (entry) + 1, NULL, 10);
}

static void
check_image (const char *path, GByteArray *file, GByteArray *log, guint last_synced)
{
  g_autofree char *log_path = g_strconcat (path, "-wal", NULL);
  DsqColdTier *tier;
  Foreign foreign;

  write_file (path, file->data, file->len);
  write_file (log_path, log->data, log->len);
  tier = open_tier (path, &foreign);
  g_assert_cmpuint (read_last (tier), >=, last_synced);
  close_tier (tier);
}

/* In memory if that can be: nothing is asked here of a medium. */
static char *
make_quick_folder (void)
{
  char *folder = g_strdup ("/dev/shm/dsq-cuts-XXXXXX");

  if (g_mkdtemp (folder) != NULL)
    return folder;
  g_free (folder);
  return make_folder ();
}

static void
cut_run (gboolean syncs, const RunLength *run, GRand *random, guint *n_done, guint *n_logs)
{
  char *folder = make_quick_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *cut = g_build_filename (folder, "cut", NULL);
  g_autoptr (GBytes) start = NULL;
  g_autoptr (GByteArray) file = g_byte_array_new ();
  g_autoptr (GByteArray) log = g_byte_array_new ();
  const guint n_images = run->until != 0 ? N_IN_A_HURRY : (guint) MIN (N_IMAGES, run->n - *n_done);
  guint n_calls;

  make_store (path);
  start = read_file (path);
  synced = g_array_new (FALSE, FALSE, sizeof (Synced));
  fault_record_start (g_bytes_get_data (start, NULL), g_bytes_get_size (start));
  run_steps (path, syncs, random);
  fault_record_stop ();
  n_calls = fault_record_get_n_calls ();
  for (guint i = 0; i < n_images && run_goes_on (run, *n_done); i++)
    {
      const guint cut_at = 1 + (guint) ((guint64) i * n_calls / n_images);

      fault_record_build (cut_at, i % N_FOLDER_MODELS, random, file, log);
      *n_logs += log->len > 0;
      (*n_done)++;
      check_image (cut, file, log, find_synced (cut_at));
      if (i % 16 == 0)
        assert_sound (cut);
    }
  fault_record_end ();
  g_array_unref (synced);
  remove_folder (folder);
}

static void
test_opens (gconstpointer data)
{
  const guint32 seed = (guint32) g_test_rand_int ();
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  const RunLength run = run_begin (500, 10000, 500000);
  guint n_done = 0, n_logs = 0;

  g_test_message ("seed %u", seed);
  while (run_goes_on (&run, n_done))
    cut_run (GPOINTER_TO_INT (data), &run, random, &n_done, &n_logs);
  run_tell (n_done, "power cuts");
  run_tell (n_logs, "of them with a log");
  g_assert_cmpuint (n_logs, >, n_done / 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fault_install ();
  g_test_add_data_func ("/dsq/power-cuts/synced-by-the-way", GINT_TO_POINTER (FALSE), test_opens);
  g_test_add_data_func ("/dsq/power-cuts/synced-each", GINT_TO_POINTER (TRUE), test_opens);
  return g_test_run ();
}
