/* family.c - processes of workers on one file, which are killed and looked after
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "family.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDED_BY_ERROR 3

void
family_init (Family *self, guint32 seed, const char *password)
{
  const gsize length = FAMILY_N_WORKERS * sizeof (Worker);

  memset (self, 0, sizeof *self);
  self->folder = g_strdup ("/dev/shm/dsq-family-XXXXXX");
  /* in memory if that can be: nothing is asked here of a medium */
  if (g_mkdtemp (self->folder) == NULL)
    {
      g_free (self->folder);
      self->folder = g_dir_make_tmp ("dsq-family-XXXXXX", NULL);
    }
  self->path = g_build_filename (self->folder, "store.db", NULL);
  self->password = password;
  self->workers = mmap (NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (self->workers != MAP_FAILED);
  for (guint i = 0; i < FAMILY_N_WORKERS; i++)
    self->workers[i] = (Worker){ .number = i, .seed = seed };
}

void
family_clear (Family *self)
{
  g_autoptr (GDir) dir = g_dir_open (self->folder, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->folder, name, NULL);

      g_assert_cmpint (g_unlink (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  munmap (self->workers, FAMILY_N_WORKERS * sizeof (Worker));
  g_free (self->folder);
  g_free (self->path);
}

DsqStore *
family_open (const Family *self,
             DsqPersistMode mode,
             gboolean background,
             guint64 hot_capacity,
             GError **error)
{
  return g_initable_new (DSQ_TYPE_STORE,
                         NULL,
                         error,
                         "path",
                         self->path,
                         "persist-mode",
                         mode,
                         "background",
                         background,
                         "hot-capacity",
                         hot_capacity,
                         "warm-capacity",
                         (guint64) 1 << 16,
                         "dirty-limit",
                         (guint64) 1 << 16,
                         "wal-limit",
                         FAMILY_WAL_LIMIT,
                         "flush-interval",
                         5u,
                         "password",
                         self->password,
                         "kdf-memory",
                         (guint64) 19 << 20,
                         "kdf-passes",
                         2u,
                         NULL);
}

/* --- a process -------------------------------------------------------------------------------- */

typedef struct
{
  Worker *worker;  /* (unowned) */
  DsqStore *store; /* (unowned) */
} Job;

static void G_GNUC_NORETURN
end_by_error (const GError *error)
{
  g_printerr ("# a process of the family ends: %s\n", error->message);
  _exit (ENDED_BY_ERROR);
}

static gpointer
work (gpointer data)
{
  Job *job = data;
  g_autoptr (GError) error = NULL;

  worker_run (job->worker, job->store, &error);
  end_by_error (error);
}

static void G_GNUC_NORETURN
live (Family *self, guint process, guint n_threads, gboolean background, guint64 hot_capacity)
{
  Worker *workers = &self->workers[process * FAMILY_MAX_THREADS];
  g_autoptr (GError) error = NULL;
  DsqStore *store = family_open (self, workers->mode, background, hot_capacity, &error);
  Job jobs[FAMILY_MAX_THREADS];

  if (store == NULL)
    end_by_error (error);
  for (guint i = 0; i < n_threads; i++)
    {
      jobs[i] = (Job){ &workers[i], store };
      if (i > 0)
        g_thread_unref (g_thread_new ("worker", work, &jobs[i]));
    }
  work (&jobs[0]);
  g_assert_not_reached ();
}

void
family_end_with (pid_t parent)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != parent)
    _exit (0);
}

void
family_start (Family *self,
              guint process,
              GRand *random,
              void (*prepare) (gconstpointer data),
              gconstpointer data)
{
  const guint n_threads = (guint) g_rand_int_range (random, 1, FAMILY_MAX_THREADS + 1);
  const DsqPersistMode mode = g_rand_boolean (random) ? DSQ_PERSIST_LAZY : DSQ_PERSIST_WRITETHROUGH;
  const gboolean background = g_rand_boolean (random);
  const guint64 hot_capacity = g_rand_boolean (random) ? 1 : 1000;
  const pid_t parent = getpid ();
  pid_t child;

  for (guint i = 0; i < FAMILY_MAX_THREADS; i++)
    self->workers[process * FAMILY_MAX_THREADS + i].mode = mode;
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      family_end_with (parent);
      if (prepare != NULL)
        prepare (data);
      live (self, process, n_threads, background, hot_capacity);
    }
  self->processes[process] = child;
}

gboolean
family_kill (Family *self, guint process)
{
  int status;

  kill (self->processes[process], SIGKILL);
  while (waitpid (self->processes[process], &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  self->processes[process] = 0;
  if (WIFSIGNALED (status))
    g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
  else
    g_assert_cmpint (WEXITSTATUS (status), ==, ENDED_BY_ERROR);
  return !WIFSIGNALED (status);
}

/* --- what is left of it ----------------------------------------------------------------------- */

/* By the SQLite that other programs have. */
static void
check_sound (const Family *self)
{
  static const char *const program =
      "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]); "
      "print(*connection.execute('PRAGMA integrity_check').fetchone())";
  const char *argv[] = { "python3", "-c", program, self->path, NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *said = NULL;
  int status;

  g_spawn_sync (NULL,
                (char **) argv,
                NULL,
                G_SPAWN_SEARCH_PATH,
                NULL,
                NULL,
                &said,
                NULL,
                &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpstr (said, ==, "ok\n");
}

guint64
family_check_log (Family *self)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);
  const gint64 now = g_get_monotonic_time ();
  GStatBuf info;

  if (g_stat (log, &info) != 0)
    info.st_size = 0;
  if (now >= self->excused_until)
    g_assert_cmpuint (info.st_size, <=, 2 * FAMILY_WAL_LIMIT);
  if ((guint64) info.st_size <= 2 * FAMILY_WAL_LIMIT && self->excused_until != G_MAXINT64)
    self->excused_until = 0;
  return (guint64) info.st_size;
}

static void
settle (Family *self, guint first, guint n, gboolean checks)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = NULL;
  g_auto (GStrv) problems = NULL;

  family_check_log (self);
  store = family_open (self, DSQ_PERSIST_WRITETHROUGH, FALSE, 100, &error);
  g_assert_no_error (error);
  for (guint i = first; i < first + n; i++)
    {
      worker_settle (&self->workers[i], store, &error);
      g_assert_no_error (error);
    }
  if (checks)
    {
      problems = dsq_store_check (store, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (problems[0], ==, NULL);
    }
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  if (checks)
    check_sound (self);
}

void
family_settle_process (Family *self, guint process)
{
  settle (self, process * FAMILY_MAX_THREADS, FAMILY_MAX_THREADS, FALSE);
}

void
family_settle (Family *self, gboolean checks)
{
  settle (self, 0, FAMILY_N_WORKERS, checks);
}

guint64
family_count_calls (const Family *self)
{
  guint64 n = 0;

  for (guint i = 0; i < FAMILY_N_WORKERS; i++)
    n += __atomic_load_n (&self->workers[i].n_all, __ATOMIC_RELAXED);
  return n;
}
