/* fuzz-wal-index.c - the index of the log, which any process of the user may have written
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include <glib/gstdio.h>

#include "driver.h"
#include "sqlite/dsq-wal-index-private.h"

/*
 * The memory that SQLite has mapped is taken by what an input makes of it: pairs of bytes, where
 * and what. One copy of the header is as the other is then, but for some inputs, of which the first
 * two bytes say otherwise, and for which a reader waits. A log is there, and one connection reads
 * from it.
 */

#define LENGTH      136
#define N_SLOTS     5
#define DIFFERS     0xFF /* as both */
#define MAX_WAITS   16   /* for such, in all */
#define OF_OTHER    1    /* in the second one: the log is another one */
#define IS_ONE_MORE 2
#define STAMP       ((guint) sizeof (DsqWalStamp))

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("\0\0"),
  FUZZ_SEED ("\xff\xff\x60\7\x20\7"),
  FUZZ_SEED ("\0\1\x20\1\x21\2"),
  FUZZ_SEED ("\0\2\x10\3\x10\0"),
  FUZZ_SEED ("\0\0\x0c\0"),
  FUZZ_SEED ("\0\0\x0e\0\x0f\x10"),
  FUZZ_SEED ("\0\0\x10\xff\x11\xff\x12\xff\x13\xff"),
  FUZZ_SEED ("\0\0\x64\xff\x68\0\x6c\1\x70\2\x74\3"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

static struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
  DsqDatabase *database;
  DsqDatabase *reader;
  guint8 honest[LENGTH];
} file;

static void
clean_up (void)
{
  dsq_database_close (file.reader);
  dsq_database_close (file.database);
  g_unlink (file.path);
  g_rmdir (file.folder);
}

static void
run (DsqDatabase *database, const char *sql)
{
  g_autoptr (GError) error = NULL;

  dsq_database_run (database, sql, "test", &error);
  g_assert_no_error (error);
}

static DsqDatabase *
open_database (void)
{
  g_autoptr (GError) error = NULL;
  DsqDatabase *database = dsq_database_open (file.path, DSQ_DATABASE_WRITE, 1000, &error);

  g_assert_no_error (error);
  return database;
}

static void
begin (void)
{
  g_autoptr (GError) error = NULL;
  DsqWalIndex index;

  file.folder = g_dir_make_tmp ("fuzz-wal-index-XXXXXX", NULL);
  file.path = g_build_filename (file.folder, "file", NULL);
  g_assert_true (g_file_set_contents (file.path, "", 0, NULL));
  file.database = open_database ();
  dsq_database_set_fold_on_close (file.database, TRUE);
  dsq_database_set_wal_mode (file.database, &error);
  g_assert_no_error (error);
  run (file.database, "CREATE TABLE t (a)");
  run (file.database, "INSERT INTO t VALUES (1)");
  file.reader = open_database ();
  run (file.reader, "BEGIN");
  run (file.reader, "CREATE TEMP TABLE seen AS SELECT a FROM t");
  run (file.database, "INSERT INTO t VALUES (2)");
  atexit (clean_up);
  g_assert_true (dsq_wal_index_init (&index, file.database, &error));
  memcpy (file.honest, (const void *) index.words, LENGTH);
}

/* Each that somebody is in who sees less than is wanted, one after another. */
static void
find_readers (const DsqWalIndex *index, guint32 n_frames)
{
  const guint32 *marks = (const guint32 *) (const void *) (index->words + 2 * STAMP / 8) + 1;
  DsqWalReader found = { 0 };
  guint n_found = 0;

  for (guint slot = 0; dsq_wal_index_find_reader (index, file.database, slot, n_frames, &found);
       slot = found.slot + 1)
    {
      g_assert_cmpuint (found.slot, >=, slot);
      g_assert_cmpuint (found.slot, <, N_SLOTS);
      g_assert_cmpuint (found.n_frames, ==, found.slot == 0 ? 0 : marks[found.slot]);
      g_assert_true (found.n_frames < n_frames || n_frames == G_MAXUINT32);
      n_found++;
    }
  /* there is one */
  g_assert_cmpuint (n_found, <=, 1);
  g_assert_true (n_found == 1 || n_frames != G_MAXUINT32);
}

static void
rebuild (const DsqWalStamp *stamp, guint8 how)
{
  DsqWalStamp honest, rebuilt;
  guint32 n_frames;

  memcpy (&honest, file.honest, sizeof honest);
  n_frames = stamp->n_frames + ((how & IS_ONE_MORE) != 0);
  if (!dsq_wal_index_rebuild (file.database,
                              stamp,
                              (how & OF_OTHER) != 0 ? stamp : &honest,
                              n_frames,
                              &rebuilt))
    return;
  g_assert_cmpuint (rebuilt.n_frames, ==, n_frames);
  g_assert_cmpuint (rebuilt.n_pages, >, 0);
  g_assert_true (dsq_wal_stamp_is_same_log (&rebuilt, &honest) || (how & OF_OTHER) != 0);
  g_assert_false (dsq_wal_stamp_is_restart_of (&rebuilt, &rebuilt));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  guint64 words[LENGTH / sizeof (guint64)];
  guint8 *image = (guint8 *) words;
  const DsqWalIndex index = { words };
  static guint n_waits;
  DsqWalStamp stamp, honest;
  gboolean is_whole, differs;

  if (file.folder == NULL)
    begin ();
  if (length < 2)
    return 0;
  memcpy (words, file.honest, sizeof words);
  memcpy (&honest, file.honest, sizeof honest);
  differs = (bytes[0] & bytes[1]) == DIFFERS && n_waits++ < MAX_WAITS;
  for (size_t i = 2; i + 1 < length; i += 2)
    if (bytes[i] < LENGTH)
      {
        image[bytes[i]] = bytes[i + 1];
        if (!differs && bytes[i] < 2 * STAMP)
          image[(bytes[i] + STAMP) % (2 * STAMP)] = bytes[i + 1];
      }
  is_whole = memcmp (image, image + STAMP, STAMP) == 0;
  g_assert_true ((dsq_wal_index_read (&index, &stamp) != FALSE) ==
                 (is_whole && stamp.is_init != 0));
  if (is_whole)
    g_assert_cmpmem (&stamp, sizeof stamp, image, STAMP);
  g_assert_cmpuint (dsq_wal_index_get_backfilled (&index), ==, ((guint32 *) words)[2 * STAMP / 4]);
  g_assert_false (dsq_wal_stamp_is_restart_of (&honest, &stamp));
  find_readers (&index, stamp.n_frames);
  find_readers (&index, G_MAXUINT32);
  rebuild (&stamp, bytes[1]);
  return 0;
}
