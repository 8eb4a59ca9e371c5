/* test-log-file.c - a frame of the log is one write
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "sqlite/dsq-log-file-private.h"
#include "sqlite/dsq-vfs-private.h"

#define HEADER 24
#define PAGE   4096

/* --- over a file that only notes what is asked of it ------------------------------------------ */

typedef struct
{
  sqlite3_file file;
  GString *calls;     /* (unowned) */
  GByteArray *bytes;  /* (unowned) what was written last */
  int code_of_writes; /* what they return */
} Behind;

static Behind *
behind_of (sqlite3_file *file)
{
  return (Behind *) file;
}

static int
note_close (sqlite3_file *file)
{
  g_string_append (behind_of (file)->calls, "close;");
  return SQLITE_OK;
}

static int
note_read (sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset)
{
  g_string_append_printf (behind_of (file)->calls, "read %d at %d;", length, (int) offset);
  return SQLITE_OK;
}

static int
note_write (sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
  Behind *self = behind_of (file);

  g_string_append_printf (self->calls, "write %d at %d;", length, (int) offset);
  g_byte_array_set_size (self->bytes, 0);
  g_byte_array_append (self->bytes, bytes, (guint) length);
  return self->code_of_writes;
}

static int
note_cut (sqlite3_file *file, sqlite3_int64 size)
{
  g_string_append (behind_of (file)->calls, "cut;");
  return SQLITE_OK;
}

static int
note_sync (sqlite3_file *file, int flags)
{
  g_string_append (behind_of (file)->calls, "sync;");
  return SQLITE_OK;
}

static int
note_size (sqlite3_file *file, sqlite3_int64 *out_size)
{
  g_string_append (behind_of (file)->calls, "size;");
  *out_size = 0;
  return SQLITE_OK;
}

static const sqlite3_io_methods noting = {
  .iVersion = 1,
  .xClose = note_close,
  .xRead = note_read,
  .xWrite = note_write,
  .xTruncate = note_cut,
  .xSync = note_sync,
  .xFileSize = note_size,
};

typedef struct
{
  sqlite3_file *file; /* (owned) */
  GString *calls;     /* (owned) */
  GByteArray *bytes;  /* (owned) */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  Behind *behind;

  self->calls = g_string_new (NULL);
  self->bytes = g_byte_array_new ();
  self->file = g_malloc0 ((gsize) dsq_log_file_get_size () + sizeof (Behind));
  behind = behind_of (dsq_log_file_get_behind (self->file));
  *behind = (Behind){ { &noting }, self->calls, self->bytes, SQLITE_OK };
  dsq_log_file_init (self->file);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  self->file->pMethods->xClose (self->file);
  g_free (self->file);
  g_string_free (self->calls, TRUE);
  g_byte_array_unref (self->bytes);
}

static int
write_at (Fixture *self, int length, int offset)
{
  g_autofree guint8 *bytes = g_malloc ((gsize) length);

  memset (bytes, offset & 0xFF, (gsize) length);
  return self->file->pMethods->xWrite (self->file, bytes, length, offset);
}

static void
assert_calls (Fixture *self, const char *expected)
{
  g_assert_cmpstr (self->calls->str, ==, expected);
  g_string_set_size (self->calls, 0);
}

static void
test_frame_is_one_write (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (write_at (self, 32, 0), ==, SQLITE_OK);
  assert_calls (self, "write 32 at 0;");
  for (int at = 32; at < 32 + 3 * (HEADER + PAGE); at += HEADER + PAGE)
    {
      g_autofree char *expected = g_strdup_printf ("write 4120 at %d;", at);

      g_assert_cmpint (write_at (self, HEADER, at), ==, SQLITE_OK);
      assert_calls (self, "");
      g_assert_cmpint (write_at (self, PAGE, at + HEADER), ==, SQLITE_OK);
      assert_calls (self, expected);
      g_assert_cmpuint (self->bytes->len, ==, HEADER + PAGE);
      g_assert_cmpuint (self->bytes->data[HEADER - 1], ==, at & 0xFF);
      g_assert_cmpuint (self->bytes->data[HEADER], ==, (at + HEADER) & 0xFF);
      g_assert_cmpuint (self->bytes->data[HEADER + PAGE - 1], ==, (at + HEADER) & 0xFF);
    }
  /* a page alone, of a frame that is there */
  g_assert_cmpint (write_at (self, PAGE, 32 + HEADER), ==, SQLITE_OK);
  assert_calls (self, "write 4096 at 56;");
}

static void
test_header_waits_for_nothing_else (Fixture *self, gconstpointer data)
{
  const sqlite3_io_methods *methods = self->file->pMethods;
  guint8 buffer[8];
  sqlite3_int64 size;

  write_at (self, HEADER, 32);
  methods->xRead (self->file, buffer, 8, 0);
  assert_calls (self, "write 24 at 32;read 8 at 0;");
  write_at (self, HEADER, 32);
  methods->xTruncate (self->file, 0);
  assert_calls (self, "write 24 at 32;cut;");
  write_at (self, HEADER, 32);
  methods->xSync (self->file, 0);
  assert_calls (self, "write 24 at 32;sync;");
  write_at (self, HEADER, 32);
  methods->xFileSize (self->file, &size);
  assert_calls (self, "write 24 at 32;size;");
  write_at (self, HEADER, 32);
  write_at (self, PAGE, 100);
  assert_calls (self, "write 24 at 32;write 4096 at 100;");
  write_at (self, HEADER, 32);
  write_at (self, HEADER, 32);
  assert_calls (self, "write 24 at 32;write 24 at 32;");
  methods->xSync (self->file, 0);
  assert_calls (self, "sync;");
}

/* SQLite mends checksums so, and writes no page after it. */
static void
test_header_over_what_was_read_does_not_wait (Fixture *self, gconstpointer data)
{
  guint8 buffer[HEADER];

  self->file->pMethods->xRead (self->file, buffer, HEADER, 32);
  write_at (self, HEADER, 32);
  assert_calls (self, "read 24 at 32;write 24 at 32;");
  write_at (self, HEADER, 32);
  assert_calls (self, "");
}

static void
test_failures_are_told (Fixture *self, gconstpointer data)
{
  Behind *behind = behind_of (dsq_log_file_get_behind (self->file));

  behind->code_of_writes = SQLITE_FULL;
  g_assert_cmpint (write_at (self, HEADER, 32), ==, SQLITE_OK);
  g_assert_cmpint (write_at (self, PAGE, 32 + HEADER), ==, SQLITE_FULL);
  assert_calls (self, "write 4120 at 32;");
  g_assert_cmpint (write_at (self, HEADER, 32), ==, SQLITE_OK);
  g_assert_cmpint (self->file->pMethods->xSync (self->file, 0), ==, SQLITE_FULL);
  assert_calls (self, "write 24 at 32;");
  /* of the frame that failed nothing is left to write */
  g_assert_cmpint (self->file->pMethods->xSync (self->file, 0), ==, SQLITE_OK);
  assert_calls (self, "sync;");
}

/* --- under SQLite ----------------------------------------------------------------------------- */

#define N_TRANSACTIONS 120
#define N_ROWS         400

static sqlite3 *
open_log (const char *path, const char *vfs)
{
  sqlite3 *handle = NULL;

  g_assert_cmpint (sqlite3_open_v2 (path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
                   ==,
                   SQLITE_OK);
  return handle;
}

static void
run (sqlite3 *handle, const char *sql)
{
  g_assert_cmpint (sqlite3_exec (handle, sql, NULL, NULL, NULL), ==, SQLITE_OK);
}

static char *
ask (sqlite3 *handle, const char *sql)
{
  sqlite3_stmt *statement;
  char *answer;

  g_assert_cmpint (sqlite3_prepare_v2 (handle, sql, -1, &statement, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_step (statement), ==, SQLITE_ROW);
  answer = g_strdup ((const char *) sqlite3_column_text (statement, 0));
  sqlite3_finalize (statement);
  return answer;
}

static void
copy (const char *from, const char *to, const char *suffix)
{
  g_autofree char *source = g_strconcat (from, suffix, NULL);
  g_autofree char *target = g_strconcat (to, suffix, NULL);
  g_autofree char *bytes = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (source, &bytes, &length, NULL));
  g_assert_true (g_file_set_contents (target, bytes, (gssize) length, NULL));
}

/* Pages are spilled to the log and changed again, which has their checksums mended. */
static void
change (sqlite3 *handle, GRand *rand)
{
  run (handle, "BEGIN IMMEDIATE");
  for (guint i = g_rand_int (rand) % 3 + 1; i > 0; i--)
    {
      g_autofree char *sql = g_strdup_printf ("UPDATE t SET b = randomblob (%u) WHERE a %% %u = 0",
                                              g_rand_int (rand) % 300,
                                              g_rand_int (rand) % 20 + 1);

      run (handle, "SAVEPOINT s");
      run (handle, sql);
      run (handle, g_rand_int (rand) % 3 == 0 ? "ROLLBACK TO s; RELEASE s" : "RELEASE s");
    }
  run (handle, "UPDATE n SET n = n + 1");
  run (handle, g_rand_int (rand) % 5 == 0 ? "ROLLBACK" : "COMMIT");
}

/* What is read by checksums, as after a power failure, is all that was committed. */
static void
test_log_is_whole_after_each_transaction (void)
{
  static const char sql[] = "SELECT group_concat (hex (b)) || (SELECT n FROM n) FROM t";
  g_autofree char *folder = g_dir_make_tmp ("dsq-log-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  g_autofree char *other = g_build_filename (folder, "copy", NULL);
  g_autofree char *log = g_strconcat (other, "-wal", NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);
  sqlite3 *handle;

  /* in WAL mode before: there are no journals of another kind on this way to a file */
  handle = open_log (path, NULL);
  run (handle,
       "PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB);"
       "CREATE TABLE n (n INTEGER); INSERT INTO n VALUES (0)");
  sqlite3_close (handle);
  handle = open_log (path, dsq_vfs_get_name ());
  /* nothing is synced, which would write what waits */
  run (handle,
       "PRAGMA cache_size = 10; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL");
  for (guint i = 0; i < N_ROWS; i++)
    run (handle, "INSERT INTO t (b) VALUES (randomblob (200))");
  for (guint i = 0; i < N_TRANSACTIONS; i++)
    {
      g_autofree char *expected = NULL;
      g_autofree char *found = NULL;
      sqlite3 *recovered;

      change (handle, rand);
      copy (path, other, "");
      copy (path, other, "-wal");
      recovered = open_log (other, NULL);
      expected = ask (handle, sql);
      found = ask (recovered, sql);
      g_assert_cmpstr (found, ==, expected);
      sqlite3_close (recovered);
      if (i % 30 == 29)
        run (handle, "PRAGMA wal_checkpoint (RESTART)");
    }
  sqlite3_close (handle);
  g_unlink (log);
  g_unlink (other);
  g_unlink (path);
  g_assert_no_errno (g_rmdir (folder));
}

#define ADD(path, func) g_test_add ("/dsq/log-file/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("frame-is-one-write", test_frame_is_one_write);
  ADD ("header-waits-for-nothing-else", test_header_waits_for_nothing_else);
  ADD ("header-over-what-was-read", test_header_over_what_was_read_does_not_wait);
  ADD ("failures-are-told", test_failures_are_told);
  g_test_add_func ("/dsq/log-file/log-is-whole", test_log_is_whole_after_each_transaction);
  return g_test_run ();
}
