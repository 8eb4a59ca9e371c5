/* test-fork.c - children of fork() that open stores of their own
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder-support.h"

#define DEADLINE  30
#define N_THREADS 3

/* What SQLite has locked of an open file, and of the index of its log. */
#define SHARED_FIRST 1073741826
#define SHARED_LAST  1073742335
#define INDEX_BYTE   128

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) on store.db */
  gboolean stop;   /* (atomic) */
} Fixture;

static guint
n_forks (void)
{
  return g_getenv ("DSQ_SHORT") != NULL ? 10 : 100;
}

static DsqStore *
open_store (const char *folder, const char *name, DsqPersistMode mode, gboolean background)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    mode,
                                    "background",
                                    background,
                                    "hot-capacity",
                                    (guint64) 10,
                                    "warm-capacity",
                                    (guint64) 0,
                                    "flush-interval",
                                    1u,
                                    NULL);

  g_assert_no_error (error);
  return store;
}

static void
set_up (Fixture *self, gconstpointer mode)
{
  self->folder = make_folder ();
  self->store = open_store (self->folder, "store.db", GPOINTER_TO_INT (mode), TRUE);
}

static void
tear_down (Fixture *self, gconstpointer mode)
{
  close_store (self->store);
  remove_folder (self->folder);
}

static void
in_child (void (*work) (Fixture *, guint), Fixture *self, guint number)
{
  pid_t child = fork ();
  int status;

  if (child == 0)
    {
      alarm (DEADLINE);
      work (self, number);
      /* a sanitizer would miss the threads that are not here */
      syscall (SYS_exit_group, 0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
}

/* --- threads inside --------------------------------------------------------------------------- */

static gpointer
use_store (gpointer user_data)
{
  Fixture *self = user_data;

  for (guint i = 0; !__atomic_load_n (&self->stop, __ATOMIC_SEQ_CST); i++)
    {
      g_autofree char *key = g_strdup_printf ("%u", i % 200);
      g_autofree char *other = g_strdup_printf ("%u", i * 7 % 200);
      g_autofree char *value = NULL;

      g_assert_true (dsq_store_set_string (self->store, key, "value", NULL, NULL));
      value = dsq_store_get_string (self->store, other, NULL, NULL);
    }
  return NULL;
}

/* Opens and closes files all the time, without GObject, whose own locks no fork waits for. */
static gpointer
make_backups (gpointer user_data)
{
  Fixture *self = user_data;
  g_autofree char *path = g_build_filename (self->folder, "backup.db", NULL);

  while (!__atomic_load_n (&self->stop, __ATOMIC_SEQ_CST))
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (
          dsq_store_copy (self->store, path, DSQ_COPY_SAME, NULL, NULL, NULL, NULL, &error));
      g_assert_no_error (error);
      g_unlink (path);
    }
  return NULL;
}

static void
write_own (Fixture *self, guint number)
{
  DsqStore *own = open_store (self->folder, "own.db", DSQ_PERSIST_LAZY, FALSE);
  g_autofree char *key = g_strdup_printf ("%u", number);

  g_assert_true (dsq_store_set_string (own, key, "value", NULL, NULL));
  close_store (own);
}

/* Unlike libc's, malloc of the address sanitizer may be locked for ever in a child of fork(). */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define MALLOC_FORGETS_FORKS 1
#endif
#endif
#ifndef MALLOC_FORGETS_FORKS
#define MALLOC_FORGETS_FORKS 0
#endif

static void
test_threads_inside (Fixture *self, gconstpointer mode)
{
  GThread *threads[N_THREADS];
  gboolean has_file = GPOINTER_TO_INT (mode) != DSQ_PERSIST_MEMORY;
  DsqStore *own;

  if (MALLOC_FORGETS_FORKS)
    {
      g_test_skip ("malloc is not the one of libc");
      return;
    }
  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new (NULL, i == 0 && has_file ? make_backups : use_store, self);
  for (guint i = 0; i < n_forks (); i++)
    in_child (write_own, self, i);
  __atomic_store_n (&self->stop, TRUE, __ATOMIC_SEQ_CST);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);

  own = open_store (self->folder, "own.db", DSQ_PERSIST_LAZY, FALSE);
  g_assert_cmpint (dsq_store_count (own, NULL, NULL), ==, n_forks ());
  close_store (own);
}

/* --- the parent's file ------------------------------------------------------------------------ */

/* Whether the kernel knows of a lock of this process on these bytes of a file. */
static gboolean
has_lock (const Fixture *self, const char *name, guint64 from, guint64 to)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);
  g_autofree char *wanted = NULL;
  g_autofree char *locks = NULL;
  g_auto (GStrv) lines = NULL;
  struct stat info;

  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_true (g_file_get_contents ("/proc/locks", &locks, NULL, NULL));
  wanted = g_strdup_printf (":%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                            (guint64) info.st_ino,
                            from,
                            to);
  lines = g_strsplit (locks, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_autofree char *process = g_strdup_printf (" %d ", (int) getpid ());

      if (strstr (lines[i], wanted) != NULL && strstr (lines[i], process) != NULL)
        return TRUE;
    }
  return FALSE;
}

static void
write_to_parents_file (Fixture *self, guint number)
{
  for (guint i = 0; i < 3; i++) /* again, once there is nothing of the parent's to let go */
    {
      DsqStore *own = open_store (self->folder, "store.db", DSQ_PERSIST_WRITETHROUGH, FALSE);
      g_autofree char *key = g_strdup_printf ("%u.%u", number, i);

      g_assert_true (has_lock (self, "store.db", SHARED_FIRST, SHARED_LAST));
      g_assert_true (has_lock (self, "store.db-shm", INDEX_BYTE, INDEX_BYTE));
      g_assert_true (dsq_store_set_string (own, key, "child", NULL, NULL));
      close_store (own);
      g_assert_false (has_lock (self, "store.db", SHARED_FIRST, SHARED_LAST));
    }
}

/* A child with a store open on the parent's file, whose own child opens it too. */
static void
write_in_two_generations (Fixture *self, guint number)
{
  DsqStore *own = open_store (self->folder, "store.db", DSQ_PERSIST_WRITETHROUGH, FALSE);

  in_child (write_to_parents_file, self, number);
  g_assert_true (has_lock (self, "store.db", SHARED_FIRST, SHARED_LAST));
  g_assert_true (dsq_store_set_string (own, "own", "child", NULL, NULL));
  close_store (own);
}

static void
test_the_parents_file (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) problems = NULL;

  g_assert_true (dsq_store_set_string (self->store, "parent", "parent", NULL, NULL));
  g_assert_true (dsq_store_flush (self->store, NULL, NULL));
  for (guint i = 0; i < 5; i++)
    {
      in_child (write_to_parents_file, self, i);
      g_assert_true (has_lock (self, "store.db", SHARED_FIRST, SHARED_LAST));
      g_assert_true (has_lock (self, "store.db-shm", INDEX_BYTE, INDEX_BYTE));
    }
  in_child (write_in_two_generations, self, 5);

  g_assert_cmpint (dsq_store_count (self->store, NULL, &error), ==, 1 + 6 * 3 + 1);
  g_assert_no_error (error);
  problems = dsq_store_check (self->store, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (problems), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *threads = g_strconcat ("/dsq/fork/threads-inside/", modes[i].name, NULL);
      g_autofree char *file = g_strconcat ("/dsq/fork/the-parents-file/", modes[i].name, NULL);
      gconstpointer mode = GINT_TO_POINTER (modes[i].mode);

      g_test_add (threads, Fixture, mode, set_up, test_threads_inside, tear_down);
      if (modes[i].mode != DSQ_PERSIST_MEMORY)
        g_test_add (file, Fixture, mode, set_up, test_the_parents_file, tear_down);
    }
  return g_test_run ();
}
