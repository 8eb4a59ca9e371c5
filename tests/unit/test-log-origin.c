/* test-log-origin.c - a log beside a file that has been tampered with
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A store is there as a process leaves it that is killed: "a" is in the file, "b" in its log.
 * Either it is refused then, or it has what was written, of the log all or nothing.
 */

#include "config.h"

#include "file-fixture.h"

typedef struct
{
  guint8 *bytes;
  gsize length;
} Content;

typedef struct
{
  Content file, log; /* (owned) */
} Left;

static Content
read_content (const char *path)
{
  Content content;

  g_assert_true (g_file_get_contents (path, (char **) &content.bytes, &content.length, NULL));
  return content;
}

static Left
leave (const char *path, const char *page_size)
{
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  Foreign foreign;
  DsqColdTier *tier;
  Left left;

  make_store (path);
  if (page_size != NULL)
    {
      run_stock (path, "PRAGMA journal_mode = DELETE");
      run_stock (path, page_size);
    }
  tier = open_tier (path, &foreign);
  put (tier, "b", "2");
  left = (Left){ read_content (path), read_content (log) };
  close_tier (tier);
  return left;
}

static void
clear_left (Left *left)
{
  g_free (left->file.bytes);
  g_free (left->log.bytes);
}

static gboolean
open_left (const char *path, const Content *file, const Content *log)
{
  g_autofree char *log_path = g_strconcat (path, "-wal", NULL);
  g_autofree char *index_path = g_strconcat (path, "-shm", NULL);
  g_autoptr (DsqEntry) a = NULL;
  g_autoptr (DsqEntry) b = NULL;
  g_autoptr (GError) error = NULL;
  const DsqKey keys[2] = { key_of ("a"), key_of ("b") };
  Foreign foreign;
  DsqColdTier *tier;

  g_remove (index_path);
  write_file (path, file->bytes, file->length);
  write_file (log_path, log->bytes, log->length);
  tier = try_open (path, &foreign, &error);
  if (tier == NULL)
    {
      g_assert_true (error->domain == DSQ_ERROR);
      return FALSE;
    }
  if (dsq_cold_tier_get (tier, &keys[0], &a, NULL))
    assert_entry (a, "1");
  if (dsq_cold_tier_get (tier, &keys[1], &b, NULL) && b != NULL)
    assert_entry (b, "2");
  tier->funcs->close (tier, NULL);
  return TRUE;
}

/* Of the log's head and first frame: what SQLite takes for no log is none. */
static void
test_sums_are_looked_at (Fixture *fixture, gconstpointer data)
{
  static const gsize offsets[] = { 8, 10, 11, 16, 24, 28, 32, 40, 48, 52, 56 };
  Left left = leave (fixture->path, NULL);

  g_assert_true (open_left (fixture->path, &left.file, &left.log));
  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      left.log.bytes[offsets[i]] ^= 0x11;
      open_left (fixture->path, &left.file, &left.log);
      left.log.bytes[offsets[i]] ^= 0x11;
    }
  clear_left (&left);
}

/* The page of the header, which says whose the log is. */
static void
test_a_damaged_header_is_no_origin (Fixture *fixture, gconstpointer data)
{
  static const guint8 values[] = { 0, 1, 2, 7, 13, 0x80, 0xFF };
  Left left = leave (fixture->path, NULL);
  g_autofree char *root =
      ask_stock (fixture->path, "SELECT rootpage FROM sqlite_schema WHERE name = 'store'");
  guint8 *page = left.file.bytes + (g_ascii_strtoull (root, NULL, 10) - 1) * 4096;
  guint8 *cell = page + (page[8] << 8 | page[9]);
  guint8 *const places[] = { page,     page + 3, page + 4, page + 8, page + 9, cell,
                             cell + 1, cell + 2, cell + 3, cell + 4, cell + 5 };

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    for (guint j = 0; j < G_N_ELEMENTS (values); j++)
      {
        const guint8 before = *places[i];

        *places[i] = values[j];
        open_left (fixture->path, &left.file, &left.log);
        *places[i] = before;
      }
  /* a row that begins at the page's very end */
  memcpy (page + 4096 - 8, cell, 8);
  page[8] = 4088 >> 8;
  page[9] = 4088 & 0xFF;
  open_left (fixture->path, &left.file, &left.log);
  clear_left (&left);
}

static void
test_pages_may_be_of_any_size (Fixture *fixture, gconstpointer data)
{
  g_autofree char *other_path = g_strconcat (fixture->path, "-other", NULL);
  Left left = leave (fixture->path, "PRAGMA page_size = 65536; VACUUM");
  Left other = leave (other_path, NULL);
  const Content none = { NULL, 0 };
  Content few = other.file;

  g_assert_true (open_left (fixture->path, &left.file, &left.log));
  assert_stock (fixture->path, "SELECT count (*) FROM entry", "2");
  /* a log of pages of another size is another's */
  g_assert_false (open_left (fixture->path, &other.file, &left.log));
  g_assert_false (open_left (fixture->path, &left.file, &other.log));
  /* and one of the same size is of the store whose header it has */
  {
    g_autofree char *third_path = g_strconcat (fixture->path, "-third", NULL);
    Left third = leave (third_path, NULL);

    g_assert_false (open_left (fixture->path, &third.file, &other.log));
    clear_left (&third);
  }
  few.length = 60;
  g_assert_false (open_left (fixture->path, &few, &other.log));
  g_assert_true (open_left (fixture->path, &other.file, &none));
  clear_left (&left);
  clear_left (&other);
}

#define ADD(path, func) g_test_add ("/dsq/log-origin/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("sums-are-looked-at", test_sums_are_looked_at);
  ADD ("a-damaged-header-is-no-origin", test_a_damaged_header_is_no_origin);
  ADD ("pages-may-be-of-any-size", test_pages_may_be_of_any_size);
  return g_test_run ();
}
