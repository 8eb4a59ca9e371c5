/* test-wal-reset.c - SQLite's WAL-reset bug, with and without our guard
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SQLite 3.7.0 to 3.51.2 reads the index's header at the beginning of a checkpoint, and then
 * compares it with what has been checkpointed. When the log is started anew in between, by a commit
 * on another connection, the checkpoint takes the new log for done, and what is committed to it is
 * lost. A shim under SQLite holds the checkpointing thread in that very place:
 * sqlite3WalCheckpoint() calls xUnfetch(0, 0) there.
 */

#include "config.h"

#include <pthread.h>

#include "cold-support.h"
#include "cold/dsq-cold-file-private.h"

#define N_COMMITS 9

/* --- the shim --------------------------------------------------------------------------------- */

static sqlite3_vfs *base;                 /* (unowned) SQLite's own */
static const sqlite3_io_methods *methods; /* (unowned) those of its files */
static sqlite3_vfs shim;
static sqlite3_io_methods shim_methods;

/* Set in the thread that is to be held. */
static __thread gboolean is_armed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static gboolean is_held;     /* (mutex lock) */
static gboolean is_released; /* (mutex lock) */

static int
hold_and_unfetch (sqlite3_file *file, sqlite3_int64 offset, void *page)
{
  if (is_armed && page == NULL)
    {
      is_armed = FALSE;
      pthread_mutex_lock (&lock);
      is_held = TRUE;
      pthread_cond_broadcast (&changed);
      while (!is_released)
        pthread_cond_wait (&changed, &lock);
      pthread_mutex_unlock (&lock);
    }
  return methods->xUnfetch (file, offset, page);
}

static int
open_shimmed (sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
  int code = base->xOpen (base, name, file, flags, out_flags);

  if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) != 0)
    file->pMethods = &shim_methods;
  return code;
}

/* Takes SQLite's own methods from a file that it has opened. */
static void
install_shim (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, "probe", NULL);
  sqlite3 *handle = open_stock (path);
  sqlite3_file *file = NULL;

  sqlite3_file_control (handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  methods = file->pMethods;
  shim_methods = *methods;
  shim_methods.xUnfetch = hold_and_unfetch;
  sqlite3_close (handle);
  g_remove (path);

  base = sqlite3_vfs_find (NULL);
  shim = *base;
  shim.zName = "held";
  shim.xOpen = open_shimmed;
  g_assert_cmpint (sqlite3_vfs_register (&shim, TRUE), ==, SQLITE_OK);
}

static void
wait_until_held (void)
{
  pthread_mutex_lock (&lock);
  while (!is_held)
    pthread_cond_wait (&changed, &lock);
  pthread_mutex_unlock (&lock);
}

static void
release (void)
{
  pthread_mutex_lock (&lock);
  is_released = TRUE;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&lock);
}

/* --- the tests -------------------------------------------------------------------------------- */

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = make_folder ();
  fixture->path = g_build_filename (fixture->folder, "file", NULL);
  install_shim (fixture->folder);
  is_held = is_released = FALSE;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  sqlite3_vfs_unregister (&shim);
  sqlite3_vfs_register (base, TRUE);
  g_free (fixture->path);
  remove_folder (fixture->folder);
}

static void
run (sqlite3 *handle, const char *sql)
{
  char *message = NULL;

  sqlite3_exec (handle, sql, NULL, NULL, &message);
  g_assert_cmpstr (message, ==, NULL);
}

static void *
checkpoint_stock (void *handle)
{
  is_armed = TRUE;
  sqlite3_wal_checkpoint_v2 (handle, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  is_armed = FALSE;
  return NULL;
}

static sqlite3 *
open_for_writing (const char *path)
{
  sqlite3 *handle = open_stock (path);

  run (handle,
       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
       "SELECT count(*) FROM sqlite_schema");
  return handle;
}

static gboolean
version_has_bug (void)
{
  return sqlite3_libversion_number () >= 3007000 && sqlite3_libversion_number () < 3044000;
}

/* That the hold is where the bug is: without it the other test would show nothing. Versions from
 * 3.44 on may have the fix. */
static void
test_plain_sqlite_loses_commits (Fixture *fixture, gconstpointer data)
{
  sqlite3 *writer = open_for_writing (fixture->path);
  sqlite3 *checkpointer;
  g_autofree char *kept = NULL;
  pthread_t thread;

  run (writer, "CREATE TABLE t (a)");
  checkpointer = open_for_writing (fixture->path);
  for (guint i = 0; i < 40; i++)
    run (writer, "INSERT INTO t VALUES (zeroblob (3000))");
  sqlite3_wal_checkpoint_v2 (writer, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

  g_assert_cmpint (pthread_create (&thread, NULL, checkpoint_stock, checkpointer), ==, 0);
  wait_until_held ();
  run (writer, "INSERT INTO t VALUES (1)");
  release ();
  g_assert_cmpint (pthread_join (thread, NULL), ==, 0);
  for (guint i = 1; i < N_COMMITS; i++)
    run (writer, "INSERT INTO t VALUES (1)");

  g_assert_cmpint (sqlite3_close (checkpointer), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (writer), ==, SQLITE_OK);
  kept = ask_stock (fixture->path, "SELECT count(*) FROM t WHERE a = 1");
  g_test_message ("SQLite %s kept %s of %d acknowledged commits",
                  sqlite3_libversion (),
                  kept,
                  N_COMMITS);
  if (version_has_bug ())
    g_assert_cmpint (atoi (kept), <, N_COMMITS);
}

static void *
checkpoint_tier (void *tier)
{
  g_autoptr (GError) error = NULL;

  is_armed = TRUE;
  ((DsqColdTier *) tier)->file->funcs->checkpoint (((DsqColdTier *) tier)->file, &error);
  is_armed = FALSE;
  g_assert_no_error (error);
  return NULL;
}

typedef struct
{
  DsqColdTier *tier;     /* (unowned) */
  gboolean is_committed; /* (atomic) */
} Committer;

static void *
commit_first (void *user_data)
{
  Committer *committer = user_data;

  put (committer->tier, "commit 0", "1");
  __atomic_store_n (&committer->is_committed, TRUE, __ATOMIC_RELEASE);
  return NULL;
}

/* The same order of events: but the commit waits until the checkpoint is over. */
static void
test_tier_loses_none (Fixture *fixture, gconstpointer data)
{
  g_autofree char *value = g_strnfill (3000, 'x');
  g_autoptr (GError) error = NULL;
  Foreign foreign[2];
  DsqColdTier *writer = open_tier (fixture->path, &foreign[0]);
  DsqColdTier *checkpointer = open_tier (fixture->path, &foreign[1]);
  Committer committer = { .tier = writer };
  pthread_t threads[2];

  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      put (writer, key, value);
    }
  g_assert_true (writer->file->funcs->checkpoint (writer->file, &error));
  g_assert_no_error (error);

  g_assert_cmpint (pthread_create (&threads[0], NULL, checkpoint_tier, checkpointer), ==, 0);
  wait_until_held ();
  g_assert_cmpint (pthread_create (&threads[1], NULL, commit_first, &committer), ==, 0);
  g_usleep (200 * 1000);
  g_assert_false (__atomic_load_n (&committer.is_committed, __ATOMIC_ACQUIRE));
  release ();
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (pthread_join (threads[i], NULL), ==, 0);
  for (guint i = 1; i < N_COMMITS; i++)
    {
      g_autofree char *key = g_strdup_printf ("commit %u", i);

      put (writer, key, "1");
    }

  close_tier (checkpointer);
  close_tier (writer);
  assert_sound (fixture->path);
  assert_stock (fixture->path, "SELECT count(*) FROM entry", "49");
  writer = open_tier (fixture->path, &foreign[0]);
  for (guint i = 0; i < N_COMMITS; i++)
    {
      g_autofree char *key = g_strdup_printf ("commit %u", i);

      assert_value (writer, key, "1");
    }
  close_tier (writer);
}

#define ADD(path, func) g_test_add ("/dsq/wal-reset/" path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("plain-sqlite-loses-commits", test_plain_sqlite_loses_commits);
  ADD ("tier-loses-none", test_tier_loses_none);
  return g_test_run ();
}
