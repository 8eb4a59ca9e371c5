/* test-facts.c - which keys each commit has changed, told to other processes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cold-support.h"
#include "cold/dsq-facts-file-private.h"
#include "cold/dsq-facts-private.h"

static const guint8 store_id[DSQ_KEY_ID_LENGTH] = "of this store..";

typedef struct
{
  char *folder;     /* (owned) */
  char *path;       /* (owned) */
  char *ring;       /* (owned) */
  DsqKeys *keys;    /* (owned) (nullable) */
  DsqFacts *ours;   /* (owned) */
  DsqFacts *theirs; /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer sealed)
{
  const guint8 data_key[DSQ_KEY_LENGTH] = "a key";

  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "store", NULL);
  fixture->ring = g_strconcat (fixture->path, "-facts", NULL);
  write_file (fixture->path, "main", 4);
  g_assert_cmpint (chmod (fixture->path, 0640), ==, 0);
  if (sealed)
    fixture->keys = dsq_keys_new (data_key, store_id);
  fixture->ours = dsq_facts_new (fixture->path, store_id, fixture->keys, FALSE);
  fixture->theirs = dsq_facts_new (fixture->path, store_id, fixture->keys, FALSE);
}

static void
tear_down (Fixture *fixture, gconstpointer sealed)
{
  dsq_facts_free (fixture->ours);
  dsq_facts_free (fixture->theirs);
  dsq_keys_free (fixture->keys);
  remove_folder (fixture->folder);
  g_free (fixture->ring);
  g_free (fixture->path);
}

/* The state after the commit of that number; restarted, with the log started anew after it. */
static DsqWalStamp
stamp_of (guint number, gboolean is_restarted)
{
  DsqWalStamp stamp = { { 0 } };

  stamp.version = 3007000;
  stamp.is_init = 1;
  stamp.change = number;
  stamp.n_frames = is_restarted ? 0 : number;
  stamp.frame_checksum[0] = number * 7;
  stamp.salts[0] = GUINT32_TO_BE (is_restarted ? 8 : 7);
  stamp.salts[1] = is_restarted ? number : 0;
  stamp.checksum[0] = number * 31 + (guint32) is_restarted;
  return stamp;
}

static void
add (DsqFacts *facts, const char *name, gint64 expires)
{
  DsqKey key = key_of (name);
  DsqEntry *entry = dsq_entry_new (&key, (const guint8 *) "x", 1, expires);

  dsq_facts_add (facts, entry);
  dsq_entry_unref (entry);
}

static void
commit_one (DsqFacts *facts, guint number, const char *name)
{
  DsqWalStamp before = stamp_of (number - 1, FALSE);
  DsqWalStamp after = stamp_of (number, FALSE);

  dsq_facts_start (facts);
  add (facts, name, 0);
  dsq_facts_append (facts, &before, &after);
}

/* The keys, a space behind each; NULL for everything. */
static char *
follow (DsqFacts *facts, guint from, guint to)
{
  DsqWalStamp before = stamp_of (from, FALSE);
  DsqWalStamp after = stamp_of (to, FALSE);
  DsqColdChanged changed;
  GString *names;

  if (!dsq_facts_follow (facts, &before, &after, &changed))
    return NULL;
  names = g_string_new (NULL);
  for (gsize i = 0; i < changed.n_keys; i++)
    {
      DsqKey key = { changed.keys[i].bytes, changed.keys[i].length, DSQ_TABLE_MAIN, 0 };

      g_assert_cmpuint (changed.keys[i].hash, ==, dsq_hash (key.table, key.bytes, key.length));
      g_assert_cmpuint (changed.keys[i].table, ==, DSQ_TABLE_MAIN);
      g_string_append_printf (names, "%.*s ", (int) key.length, (const char *) key.bytes);
    }
  return g_string_free (names, FALSE);
}

static void
assert_follows (DsqFacts *facts, guint from, guint to, const char *expected)
{
  g_autofree char *names = follow (facts, from, to);

  g_assert_cmpstr (names, ==, expected);
}

static void
test_tells_what_has_changed (Fixture *fixture, gconstpointer sealed)
{
  const DsqWalStamp before = stamp_of (3, FALSE), after = stamp_of (4, FALSE);
  struct stat info;
  DsqColdChanged changed;

  assert_follows (fixture->theirs, 0, 1, NULL);
  commit_one (fixture->ours, 1, "a");
  g_assert_cmpint (stat (fixture->ring, &info), ==, 0);
  g_assert_cmpuint (info.st_mode & 0777, ==, 0640);
  assert_follows (fixture->theirs, 0, 1, "a ");
  commit_one (fixture->ours, 2, "");
  commit_one (fixture->ours, 3, "a long key, which is not so long after all");
  assert_follows (fixture->theirs, 1, 3, " a long key, which is not so long after all ");

  dsq_facts_start (fixture->ours);
  add (fixture->ours, "b", 77);
  add (fixture->ours, "c", 55);
  add (fixture->ours, "d", 0);
  dsq_facts_append (fixture->ours, &before, &after);
  g_assert_true (dsq_facts_follow (fixture->theirs, &before, &after, &changed));
  g_assert_cmpint (changed.next_expiry, ==, 55);
  g_assert_cmpuint (changed.n_keys, ==, 3);
  /* who has not asked for long follows as well, and who comes new */
  commit_one (fixture->theirs, 5, "e");
  assert_follows (fixture->ours, 4, 5, "e ");
  dsq_facts_free (fixture->theirs);
  fixture->theirs = dsq_facts_new (fixture->path, store_id, fixture->keys, FALSE);
  assert_follows (fixture->theirs, 2, 5, "a long key, which is not so long after all b c d e ");
}

static void
test_what_is_no_key_is_everything (Fixture *fixture, gconstpointer sealed)
{
  commit_one (fixture->ours, 1, "a");
  commit_one (fixture->ours, 2, "\xff(");
  assert_follows (fixture->theirs, 1, 2, NULL);
  commit_one (fixture->ours, 3, "b");
  assert_follows (fixture->theirs, 2, 3, "b ");
}

static void
test_everything_and_nothing (Fixture *fixture, gconstpointer sealed)
{
  const DsqWalStamp one = stamp_of (1, FALSE), two = stamp_of (2, FALSE);

  commit_one (fixture->ours, 1, "a");
  dsq_facts_start (fixture->ours);
  add (fixture->ours, "b", 5);
  dsq_facts_add_everything (fixture->ours);
  add (fixture->ours, "c", 5);
  dsq_facts_append (fixture->ours, &one, &two);
  assert_follows (fixture->theirs, 0, 1, "a ");
  assert_follows (fixture->theirs, 1, 2, NULL);
  assert_follows (fixture->theirs, 2, 2, "");
  commit_one (fixture->ours, 3, "d");
  assert_follows (fixture->theirs, 2, 3, "d ");
}

/* A commit of a program that makes no facts, and one that was killed before its fact. */
static void
test_a_gap_is_everything (Fixture *fixture, gconstpointer sealed)
{
  commit_one (fixture->ours, 1, "a");
  commit_one (fixture->ours, 3, "c");
  assert_follows (fixture->theirs, 0, 3, NULL);
  assert_follows (fixture->theirs, 0, 2, NULL);
  assert_follows (fixture->theirs, 2, 3, "c ");
  commit_one (fixture->ours, 4, "d");
  assert_follows (fixture->theirs, 3, 4, "d ");
}

static void
test_a_restarted_log_is_no_gap (Fixture *fixture, gconstpointer sealed)
{
  const DsqWalStamp one = stamp_of (1, FALSE), restarted = stamp_of (1, TRUE);
  const DsqWalStamp two = stamp_of (2, FALSE);
  DsqColdChanged changed;

  commit_one (fixture->ours, 1, "a");
  dsq_facts_start (fixture->ours);
  add (fixture->ours, "b", 0);
  dsq_facts_append (fixture->ours, &restarted, &two);
  assert_follows (fixture->theirs, 0, 2, "a b ");
  g_assert_true (dsq_facts_follow (fixture->theirs, &one, &restarted, &changed));
  g_assert_cmpuint (changed.n_keys, ==, 0);
  /* the other way round: the reader has seen the start, the writer had begun before it */
  dsq_facts_free (fixture->theirs);
  fixture->theirs = dsq_facts_new (fixture->path, store_id, fixture->keys, FALSE);
  commit_one (fixture->ours, 2, "c");
  g_assert_true (dsq_facts_follow (fixture->theirs, &restarted, &two, &changed));
}

/* A flush of ten thousand keys is one fact; one of much more is told as everything. */
static void
test_large_facts_and_many_laps (Fixture *fixture, gconstpointer sealed)
{
  g_autofree char *long_key = g_strnfill (60000, 'k');
  guint n_items = 0;
  DsqColdChanged changed;

  for (guint number = 1; number <= 60; number++)
    {
      const DsqWalStamp before = stamp_of (number - 1, FALSE), after = stamp_of (number, FALSE);

      dsq_facts_start (fixture->ours);
      n_items = number % 7 == 0 ? 10000 : number % 5;
      for (guint i = 0; i < n_items; i++)
        {
          g_autofree char *name = g_strdup_printf ("key %u of commit %u", i, number);

          add (fixture->ours, name, 0);
        }
      for (guint i = 0; number % 11 == 0 && i < 20; i++)
        add (fixture->ours, long_key, 0);
      dsq_facts_append (fixture->ours, &before, &after);
      if (number % 11 == 0)
        {
          assert_follows (fixture->theirs, number - 1, number, NULL);
          continue;
        }
      g_assert_true (dsq_facts_follow (fixture->theirs, &before, &after, &changed));
      g_assert_cmpuint (changed.n_keys, ==, n_items);
    }
  /* who was away for laps has lost the thread, and finds it */
  for (guint number = 61; number <= 20000; number++)
    commit_one (fixture->ours, number, "k");
  assert_follows (fixture->theirs, 60, 20000, NULL);
  commit_one (fixture->ours, 20001, "last");
  assert_follows (fixture->theirs, 20000, 20001, "last ");
}

/* --- what others do to the file --------------------------------------------------------------- */

static void
test_no_byte_can_be_changed (Fixture *fixture, gconstpointer sealed)
{
  struct stat info;
  int file;

  commit_one (fixture->ours, 1, "some key");
  file = open (fixture->ring, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fstat (file, &info), ==, 0);
  for (off_t at = 4096; at < info.st_size; at++)
    {
      guint8 byte, other;

      g_assert_cmpint (pread (file, &byte, 1, at), ==, 1);
      other = byte ^ 0x10;
      g_assert_cmpint (pwrite (file, &other, 1, at), ==, 1);
      assert_follows (fixture->theirs, 0, 1, NULL);
      g_assert_cmpint (pwrite (file, &byte, 1, at), ==, 1);
    }
  assert_follows (fixture->theirs, 0, 1, "some key ");
  close (file);
}

/* Who knows the store's id can make the hash right: the key that it is of is looked at as well. */
static void
test_a_right_hash_is_not_enough (Fixture *fixture, gconstpointer sealed)
{
  enum
  {
    RING_HEAD = 4096,
    AT_POSITION = 8,
    AT_BODY = 40 + 2 * sizeof (DsqWalStamp)
  };
  const guint32 items[][2] = { { DSQ_TABLE_MAIN, 8 },
                               { DSQ_TABLE_MAIN, 9 },
                               { DSQ_TABLE_MAIN, 7 }, /* and a byte, which is none */
                               { 0, 8 },
                               { DSQ_TABLE_MAX + 1, 8 } };
  guint8 fact[AT_BODY + 16];
  int file;

  commit_one (fixture->ours, 1, "some key");
  file = open (fixture->ring, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (pread (file, fact, sizeof fact, RING_HEAD), ==, sizeof fact);
  for (guint i = 0; i < G_N_ELEMENTS (items); i++)
    {
      guint64 hash;

      memcpy (fact + AT_BODY, items[i], sizeof items[i]);
      hash = dsq_hash_siphash (1, 3, store_id, fact + AT_POSITION, sizeof fact - AT_POSITION);
      memcpy (fact, &hash, sizeof hash);
      g_assert_cmpint (pwrite (file, fact, sizeof fact, RING_HEAD), ==, sizeof fact);
      assert_follows (fixture->theirs, 0, 1, i == 0 ? "some key " : NULL);
    }
  close (file);
}

/* Random bytes, facts of another store, a ring that is cut at any length, or grows. */
static void
test_foreign_bytes_are_no_facts (Fixture *fixture, gconstpointer sealed)
{
  guint8 other_id[DSQ_KEY_ID_LENGTH] = "another store..";
  g_autofree guint8 *noise = g_malloc (1 << 20);
  DsqFacts *other = dsq_facts_new (fixture->path, other_id, NULL, FALSE);
  guint number = 1;

  commit_one (other, 1, "theirs");
  dsq_facts_free (other);
  assert_follows (fixture->theirs, 0, 1, NULL);
  commit_one (fixture->ours, 1, "a");
  assert_follows (fixture->theirs, 0, 1, "a ");
  for (guint i = 0; i < 1 << 20; i++)
    noise[i] = (guint8) g_test_rand_int ();
  for (guint round = 0; round < 50; round++)
    {
      gsize length = (gsize) g_test_rand_int_range (0, 1 << (round % 20 + 1));
      int file = open (fixture->ring, O_RDWR | O_CLOEXEC);

      if (round % 3 == 0)
        g_assert_cmpint (ftruncate (file, (off_t) length), ==, 0);
      else
        g_assert_cmpint (pwrite (file, noise, length, round % 2 ? 0 : 4000), ==, (int) length);
      close (file);
      assert_follows (fixture->theirs, number, number + 5, NULL);
      /* and it comes right by itself */
      for (guint i = 0; i < 3; i++)
        {
          number++;
          commit_one (fixture->ours, number, "b");
        }
      g_free (follow (fixture->theirs, number - 1, number));
      number++;
      commit_one (fixture->ours, number, "c");
      g_free (follow (fixture->theirs, number - 1, number));
    }
}

static void
test_one_that_is_deleted_is_made_anew (Fixture *fixture, gconstpointer sealed)
{
  guint number = 2;

  commit_one (fixture->ours, 1, "a");
  assert_follows (fixture->theirs, 0, 1, "a ");
  g_assert_cmpint (unlink (fixture->ring), ==, 0);
  /* the writer finds out when it has written for a while, its reader when that tells it nothing */
  for (; !g_file_test (fixture->ring, G_FILE_TEST_EXISTS); number++)
    commit_one (fixture->ours, number, "b");
  g_assert_cmpuint (number, <, 1000);
  assert_follows (fixture->theirs, 500, 501, NULL);
  commit_one (fixture->ours, number, "c");
  assert_follows (fixture->theirs, number - 1, number, "c ");
}

static goffset
ring_size (Fixture *fixture)
{
  struct stat info;

  g_assert_cmpint (stat (fixture->ring, &info), ==, 0);
  return info.st_size;
}

/* After the commits that are told to nobody for sure. */
static void
assert_tells_nobody (Fixture *fixture, guint *number)
{
  goffset size = 0;

  for (guint i = 0; i < 1000; i++)
    {
      commit_one (fixture->ours, (*number)++, "a");
      if (i == 100)
        size = ring_size (fixture);
    }
  g_assert_cmpint (ring_size (fixture), ==, size);
}

/* Who has the ring open is told, from the next commit on, whether it writes or not. */
static void
test_who_is_alone_tells_nobody (Fixture *fixture, gconstpointer sealed)
{
  guint number = 1;

  dsq_facts_free (g_steal_pointer (&fixture->theirs));
  assert_tells_nobody (fixture, &number);

  fixture->theirs = dsq_facts_new (fixture->path, store_id, fixture->keys, TRUE);
  for (; number <= 1200; number++)
    {
      commit_one (fixture->ours, number, "c");
      assert_follows (fixture->theirs, number - 1, number, "c ");
    }
  assert_follows (fixture->theirs, 999, 1001, NULL);
  dsq_facts_free (g_steal_pointer (&fixture->theirs));
  assert_tells_nobody (fixture, &number);

  /* one that is deleted meanwhile is made anew for who comes then */
  g_assert_cmpint (unlink (fixture->ring), ==, 0);
  for (; !g_file_test (fixture->ring, G_FILE_TEST_EXISTS) && number < 3000; number++)
    commit_one (fixture->ours, number, "f");
  fixture->theirs = dsq_facts_new (fixture->path, store_id, fixture->keys, FALSE);
  commit_one (fixture->ours, number, "g");
  assert_follows (fixture->theirs, number - 1, number, "g ");
}

/* Nothing that ends with a process has to be cleared up. */
static void
test_a_killed_process_is_nobody (Fixture *fixture, gconstpointer sealed)
{
  DsqFactsFile file;
  int made[2], status;
  char byte;
  pid_t child;

  dsq_facts_file_init (&file, fixture->path, FALSE);
  g_assert_true (dsq_facts_file_open (&file, TRUE));
  g_assert_false (dsq_facts_file_is_shared (&file));
  g_assert_cmpint (pipe (made), ==, 0);
  child = fork ();
  if (child == 0)
    {
      DsqFactsFile its;

      dsq_facts_file_init (&its, fixture->path, TRUE);
      if (dsq_facts_file_open (&its, FALSE) && write (made[1], "x", 1) == 1)
        pause ();
      _exit (1);
    }
  close (made[1]);
  g_assert_cmpint (read (made[0], &byte, 1), ==, 1);
  g_assert_true (dsq_facts_file_is_shared (&file));
  g_assert_cmpint (kill (child, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_false (dsq_facts_file_is_shared (&file));
  close (made[0]);
  dsq_facts_file_clear (&file);
}

static gboolean
is_taken (Fixture *fixture, gboolean makes)
{
  DsqFactsFile file;
  gboolean is_open;

  dsq_facts_file_init (&file, fixture->path, FALSE);
  is_open = dsq_facts_file_open (&file, makes);
  g_assert_true (!is_open || dsq_facts_file_has_name (&file));
  dsq_facts_file_clear (&file);
  return is_open;
}

static void
test_only_a_file_of_its_own_is_taken (Fixture *fixture, gconstpointer sealed)
{
  g_autofree char *log = g_strconcat (fixture->path, "-wal", NULL);
  guint n_descriptors = count_descriptors ();

  /* the store's files under another name */
  g_assert_cmpint (link (fixture->path, fixture->ring), ==, 0);
  g_assert_false (is_taken (fixture, TRUE));
  dsq_facts_file_remove (fixture->path);
  g_assert_true (g_file_test (fixture->ring, G_FILE_TEST_EXISTS));
  unlink (fixture->ring);
  write_file (log, "log", 3);
  g_assert_cmpint (link (log, fixture->ring), ==, 0);
  g_assert_false (is_taken (fixture, TRUE));
  unlink (fixture->ring);
  g_assert_cmpint (symlink (fixture->path, fixture->ring), ==, 0);
  g_assert_false (is_taken (fixture, TRUE));
  unlink (fixture->ring);
  /* what is no file */
  g_assert_cmpint (mkfifo (fixture->ring, 0600), ==, 0);
  g_assert_false (is_taken (fixture, TRUE));
  unlink (fixture->ring);
  g_assert_cmpint (mkdir (fixture->ring, 0700), ==, 0);
  g_assert_false (is_taken (fixture, TRUE));
  rmdir (fixture->ring);
  /* others may write it */
  write_file (fixture->ring, "", 0);
  g_assert_cmpint (chmod (fixture->ring, 0660), ==, 0);
  g_assert_false (is_taken (fixture, TRUE));
  g_assert_cmpint (chmod (fixture->ring, 0640), ==, 0);
  g_assert_true (is_taken (fixture, TRUE));
  if (geteuid () == 0)
    {
      g_assert_cmpint (chown (fixture->ring, 12345, (gid_t) -1), ==, 0);
      g_assert_false (is_taken (fixture, TRUE));
    }
  dsq_facts_file_remove (fixture->path);
  g_assert_false (g_file_test (fixture->ring, G_FILE_TEST_EXISTS));
  /* who only reads makes none */
  g_assert_false (is_taken (fixture, FALSE));
  g_assert_false (g_file_test (fixture->ring, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_descriptors (), ==, n_descriptors);
}

/* A plain store's reader has no use for what is sealed, nor one with another key. */
static void
test_sealed_ones_are_for_who_has_the_key (Fixture *fixture, gconstpointer sealed)
{
  const guint8 data_key[DSQ_KEY_LENGTH] = "another key";
  DsqKeys *keys = dsq_keys_new (data_key, store_id);
  DsqFacts *plain = dsq_facts_new (fixture->path, store_id, NULL, FALSE);
  DsqFacts *other = dsq_facts_new (fixture->path, store_id, keys, FALSE);
  g_autofree char *bytes = NULL;
  gsize length;

  commit_one (fixture->ours, 1, "a secret name");
  assert_follows (fixture->theirs, 0, 1, "a secret name ");
  assert_follows (plain, 0, 1, NULL);
  assert_follows (other, 0, 1, NULL);
  commit_one (plain, 2, "forged");
  g_assert_true (g_file_get_contents (fixture->ring, &bytes, &length, NULL));
  g_assert_null (memmem (bytes, length, "secret", 6));
  g_assert_nonnull (memmem (bytes, length, "forged", 6));
  assert_follows (fixture->theirs, 1, 2, NULL);
  dsq_facts_free (plain);
  dsq_facts_free (other);
  dsq_keys_free (keys);
}

/* A folder has the name of the ring: who commits does not look at it each time. */
static void
test_one_that_cannot_be_opened_is_tried_now_and_then (Fixture *fixture, gconstpointer sealed)
{
  guint n = 1;

  g_assert_cmpint (mkdir (fixture->ring, 0700), ==, 0);
  commit_one (fixture->ours, n++, "a");
  g_assert_cmpint (rmdir (fixture->ring), ==, 0);
  commit_one (fixture->ours, n++, "b");
  g_assert_cmpint (access (fixture->ring, F_OK), !=, 0);
  while (access (fixture->ring, F_OK) != 0 && n < 1000)
    commit_one (fixture->ours, n++, "c");
  assert_follows (fixture->theirs, n - 2, n - 1, "c ");
  commit_one (fixture->ours, n++, "d");
  assert_follows (fixture->theirs, n - 2, n - 1, "d ");
}

#define ADD(path, func)                                                                            \
  g_test_add ("/dsq/facts/plain/" path,                                                            \
              Fixture,                                                                             \
              GINT_TO_POINTER (FALSE),                                                             \
              set_up,                                                                              \
              func,                                                                                \
              tear_down);                                                                          \
  g_test_add ("/dsq/facts/sealed/" path, Fixture, GINT_TO_POINTER (TRUE), set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("tells-what-has-changed", test_tells_what_has_changed);
  ADD ("what-is-no-key-is-everything", test_what_is_no_key_is_everything);
  ADD ("everything-and-nothing", test_everything_and_nothing);
  ADD ("a-gap-is-everything", test_a_gap_is_everything);
  ADD ("a-restarted-log-is-no-gap", test_a_restarted_log_is_no_gap);
  ADD ("large-facts-and-many-laps", test_large_facts_and_many_laps);
  ADD ("no-byte-can-be-changed", test_no_byte_can_be_changed);
  ADD ("foreign-bytes-are-no-facts", test_foreign_bytes_are_no_facts);
  ADD ("one-that-is-deleted-is-made-anew", test_one_that_is_deleted_is_made_anew);
  ADD ("who-is-alone-tells-nobody", test_who_is_alone_tells_nobody);
  ADD ("a-killed-process-is-nobody", test_a_killed_process_is_nobody);
  ADD ("one-that-cannot-be-opened-is-tried-now-and-then",
       test_one_that_cannot_be_opened_is_tried_now_and_then);
  ADD ("only-a-file-of-its-own-is-taken", test_only_a_file_of_its_own_is_taken);
  g_test_add ("/dsq/facts/a-right-hash-is-not-enough",
              Fixture,
              GINT_TO_POINTER (FALSE),
              set_up,
              test_a_right_hash_is_not_enough,
              tear_down);
  g_test_add ("/dsq/facts/sealed-ones-are-for-who-has-the-key",
              Fixture,
              GINT_TO_POINTER (TRUE),
              set_up,
              test_sealed_ones_are_for_who_has_the_key,
              tear_down);
  return g_test_run ();
}
