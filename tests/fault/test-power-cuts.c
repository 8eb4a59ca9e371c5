/* test-power-cuts.c - what a medium may hold when the power fails, opened
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A shim under SQLite notes all that is written to a store and its log. The power then fails after
 * each of these writes: what was synced is on the medium, and of what came after it any part,
 * sector by sector. Each such file opens, with every write in it that was synced, and is sound. In
 * particular its log is never taken for that of another file, whatever of the page that tells this
 * has got to the medium.
 */

#include "config.h"

#include "cold-support.h"
#include "cold/dsq-cold-file-private.h"
#include "shim-vfs.h"

#define N_STEPS   60
#define N_KEYS    40
#define SECTOR    512
#define N_CHANCES 1 /* images of each moment */

typedef struct
{
  ShimKind kind;
  ShimCall call;
  GBytes *bytes; /* (owned) (nullable) */
  sqlite3_int64 offset;
} Event;

typedef struct
{
  guint n_events; /* when it was acknowledged */
  guint step;     /* its value; all before it are there as well */
} Synced;

static GArray *events; /* (owned) of Event; NULL while nothing is noted */
static GArray *synced; /* (owned) of Synced */

/* Nothing of it need last here. */
static int
note_event (const ShimEvent *event)
{
  const int code = event->call == SHIM_SYNC ? SQLITE_DONE : SQLITE_OK;
  Event noted = { event->kind, event->call, NULL, event->offset };

  if (events == NULL || event->kind == SHIM_TEMPORARY || event->call == SHIM_OPEN ||
      event->call == SHIM_READ)
    return code;
  if (event->bytes != NULL)
    noted.bytes = g_bytes_new (event->bytes, (gsize) event->length);
  g_array_append_val (events, noted);
  return code;
}

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
  const Synced now = { events->len, step };

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

/* --- the medium ------------------------------------------------------------------------------- */

static void
put_bytes (GByteArray *image, gsize at, const guint8 *bytes, gsize length)
{
  gsize before = image->len;

  if (at + length > before)
    {
      g_byte_array_set_size (image, (guint) (at + length));
      memset (image->data + before, 0, at + length - before);
    }
  memcpy (image->data + at, bytes, length);
}

/* With @random only some of its sectors. */
static void
apply_event (GByteArray *image, const Event *event, GRand *random)
{
  gsize length, until;
  const guint8 *bytes;

  if (random != NULL && g_rand_boolean (random))
    return;
  if (event->call == SHIM_TRUNCATE)
    g_byte_array_set_size (image, (guint) MIN (event->offset, image->len));
  if (event->call != SHIM_WRITE)
    return;
  bytes = g_bytes_get_data (event->bytes, &length);
  for (gsize at = 0; at < length; at = until)
    {
      until = MIN (length, at + SECTOR - ((gsize) event->offset + at) % SECTOR);
      if (random == NULL || g_rand_int_range (random, 0, 4) != 0)
        put_bytes (image, (gsize) event->offset + at, bytes + at, until - at);
    }
}

/* A log that was removed may have its name still, until the next one is synced. */
static void
build_image (ShimKind kind, guint n_events, GByteArray *image, GRand *random)
{
  guint n_lasting = 0;

  for (guint i = 0; i < n_events; i++)
    {
      const Event *event = &g_array_index (events, Event, i);

      if (event->kind == kind && event->call == SHIM_SYNC)
        n_lasting = i;
    }
  for (guint i = 0; i < n_events; i++)
    {
      const Event *event = &g_array_index (events, Event, i);

      if (event->kind != kind)
        continue;
      if (event->call != SHIM_REMOVE)
        apply_event (image, event, i < n_lasting ? NULL : random);
      else if (i < n_lasting || g_rand_boolean (random))
        g_byte_array_set_size (image, 0);
      else
        return;
    }
}

static guint
find_synced (guint n_events)
{
  guint step = 0;

  for (guint i = 0; i < synced->len; i++)
    if (g_array_index (synced, Synced, i).n_events <= n_events)
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
test_opens (gconstpointer data)
{
  const gboolean syncs = GPOINTER_TO_INT (data);
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *cut = g_build_filename (folder, "cut", NULL);
  g_autofree char *cut_log = g_strconcat (cut, "-wal", NULL);
  g_autoptr (GRand) random = g_rand_new_with_seed (g_test_rand_int ());
  g_autoptr (GBytes) start = NULL;
  g_autoptr (GArray) noted = g_array_new (FALSE, FALSE, sizeof (Event));
  guint n_logs = 0;

  make_store (path);
  start = read_file (path);
  synced = g_array_new (FALSE, FALSE, sizeof (Synced));
  events = noted;
  run_steps (path, syncs, random);
  for (guint i = 0; i < noted->len * N_CHANCES; i++)
    {
      const guint n_events = i / N_CHANCES + 1;
      g_autoptr (GByteArray) image = g_byte_array_new ();
      g_autoptr (GByteArray) log = g_byte_array_new ();
      DsqColdTier *tier;
      Foreign foreign;
      guint last;

      events = noted;
      put_bytes (image, 0, g_bytes_get_data (start, NULL), g_bytes_get_size (start));
      build_image (SHIM_STORE, n_events, image, random);
      build_image (SHIM_LOG, n_events, log, random);
      events = NULL;
      write_file (cut, image->data, image->len);
      write_file (cut_log, log->data, log->len);
      n_logs += log->len > 0;
      tier = open_tier (cut, &foreign);
      last = read_last (tier);
      g_assert_cmpuint (last, >=, find_synced (n_events));
      close_tier (tier);
      if (i % 16 == 0)
        assert_sound (cut);
    }
  g_test_message ("%u writes, %u images with a log", noted->len, n_logs);
  g_assert_cmpuint (n_logs, >, noted->len / 2);

  for (guint i = 0; i < noted->len; i++)
    g_clear_pointer (&g_array_index (noted, Event, i).bytes, g_bytes_unref);
  g_array_unref (synced);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  install_shim (note_event);
  g_test_add_data_func ("/dsq/power-cuts/synced-by-the-way", GINT_TO_POINTER (FALSE), test_opens);
  g_test_add_data_func ("/dsq/power-cuts/synced-each", GINT_TO_POINTER (TRUE), test_opens);
  return g_test_run ();
}
