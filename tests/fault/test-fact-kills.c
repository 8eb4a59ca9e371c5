/* test-fact-kills.c - writers that die between a commit and its fact
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../run-length.h"

/* A process reads all the time that others live and die. Each of these opens the store, commits,
 * and is killed in the write of that commit's fact: before it, within it or behind it. The reader
 * is asked after each what the keys are, and has to say what was committed last. */

#define N_KEYS 8

typedef enum
{
  DIES_BEFORE,
  DIES_WITHIN,
  DIES_BEHIND,
  N_DEATHS
} Death;

static gboolean is_doomed; /* in a writer, once it is to die at its next fact */
static Death death;
static guint n_facts_left; /* to be written before */

/* As libc's; the library's own calls come here, too. */
ssize_t pwrite64 (int fd, const void *bytes, size_t length, off64_t offset);

static gboolean
is_fact (int fd, off64_t offset)
{
  char link[64], path[4096];
  ssize_t length;

  g_snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink (link, path, sizeof path);
  return offset >= 4096 && length > 6 && memcmp (path + length - 6, "-facts", 6) == 0;
}

ssize_t
pwrite64 (int fd, const void *bytes, size_t length, off64_t offset)
{
  if (!is_doomed || !is_fact (fd, offset) || n_facts_left-- > 0)
    return syscall (SYS_pwrite64, fd, bytes, length, offset);
  if (death != DIES_BEFORE)
    syscall (SYS_pwrite64, fd, bytes, death == DIES_WITHIN ? length / 2 : length, offset);
  raise (SIGKILL);
  return -1;
}

static DsqStore *
open_store (const char *path)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    DSQ_PERSIST_WRITETHROUGH,
                                    "background",
                                    FALSE,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static char *
key_of (guint number)
{
  return g_strdup_printf ("key %u", number % N_KEYS);
}

static void
set_number (DsqStore *store, guint key, gint64 number)
{
  g_autofree char *name = key_of (key);
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set (store, name, g_variant_new_int64 (number), NULL, &error));
  g_assert_no_error (error);
}

/* --- the reader ------------------------------------------------------------------------------- */

/* For each byte that comes, all the numbers, -1 for none. */
static void G_GNUC_NORETURN
read_and_tell (const char *path, int asked, int told)
{
  DsqStore *store = open_store (path);
  char byte;

  while (read (asked, &byte, 1) == 1)
    {
      gint64 numbers[N_KEYS];

      for (guint i = 0; i < N_KEYS; i++)
        {
          g_autofree char *name = key_of (i);
          g_autoptr (GError) error = NULL;
          g_autoptr (GVariant) value = dsq_store_get (store, name, NULL, &error);

          g_assert_no_error (error);
          numbers[i] = value != NULL ? g_variant_get_int64 (value) : -1;
        }
      g_assert_cmpint (write (told, numbers, sizeof numbers), ==, sizeof numbers);
    }
  g_assert_true (dsq_store_close (store, NULL, NULL));
  g_object_unref (store);
  _exit (0);
}

typedef struct
{
  pid_t process;
  int asks;
  int hears;
} Reader;

static Reader
start_reader (const char *path)
{
  int asked[2], told[2];
  Reader reader;

  g_assert_cmpint (pipe (asked), ==, 0);
  g_assert_cmpint (pipe (told), ==, 0);
  reader = (Reader){ fork (), asked[1], told[0] };
  g_assert_cmpint (reader.process, >=, 0);
  if (reader.process == 0)
    {
      close (asked[1]);
      close (told[0]);
      read_and_tell (path, asked[0], told[1]);
    }
  close (asked[0]);
  close (told[1]);
  return reader;
}

static void
assert_read (const Reader *reader, const gint64 *expected)
{
  gint64 numbers[N_KEYS];

  g_assert_cmpint (write (reader->asks, "?", 1), ==, 1);
  g_assert_cmpint (read (reader->hears, numbers, sizeof numbers), ==, sizeof numbers);
  for (guint i = 0; i < N_KEYS; i++)
    g_assert_cmpint (numbers[i], ==, expected[i]);
}

/* --- the writers ------------------------------------------------------------------------------ */

static void
commit_and_die (const char *path, guint number, gint64 *expected)
{
  guint n_before = number % 3;
  pid_t writer = fork ();
  int status;

  g_assert_cmpint (writer, >=, 0);
  if (writer == 0)
    {
      DsqStore *store = open_store (path);

      death = number % N_DEATHS;
      n_facts_left = n_before;
      is_doomed = TRUE;
      for (guint i = 0; i <= n_before; i++)
        set_number (store, number + i, number);
      _exit (1);
    }
  g_assert_cmpint (waitpid (writer, &status, 0), ==, writer);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
  for (guint i = 0; i <= n_before; i++)
    expected[(number + i) % N_KEYS] = number;
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_nothing_old_is_read (void)
{
  g_autofree char *folder = g_dir_make_tmp ("dsq-kills-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  const RunLength run = run_begin (30, 300, 10000);
  guint n_kills;
  gint64 expected[N_KEYS];
  Reader reader;
  int status;

  for (guint i = 0; i < N_KEYS; i++)
    expected[i] = -1;
  reader = start_reader (path);
  assert_read (&reader, expected);
  for (n_kills = 0; run_goes_on (&run, n_kills); n_kills++)
    {
      commit_and_die (path, n_kills, expected);
      assert_read (&reader, expected);
    }
  run_tell (n_kills, "writers killed");
  close (reader.asks);
  g_assert_cmpint (waitpid (reader.process, &status, 0), ==, reader.process);
  g_assert_cmpint (status, ==, 0);
  close (reader.hears);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/fact-kills/nothing-old-is-read", test_nothing_old_is_read);
  return g_test_run ();
}
