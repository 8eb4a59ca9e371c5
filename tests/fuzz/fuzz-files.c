/* fuzz-files.c - files with pages, bytes, rows and frames that are not where they should be
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../run-length.h"
#include "file-damage.h"
#include "file-trial.h"

/*
 * Sound files are made once; each round damages one and tries everything on it, see file-trial.c. A
 * round's chance depends on its number alone. Workers, forked from this process while it has no
 * thread, make the rounds one after the other; one that ends by a signal, by a limit or by what it
 * prints has found something, and the next one goes on behind that round.
 *
 * fuzz-files ROUND makes that one round in this process, for a debugger, and fuzz-files FIRST END
 * those from FIRST on and before END; what was damaged in an encrypted file is not the same each
 * time, since its keys are not.
 */

#define SEED 20260229

/* Of one round: processor time, waiting included, and memory beyond what the images take. */
#define CPU_SECONDS  10
#define WALL_SECONDS 120
#define DATA_BYTES   (192u << 20)

#define MAX_FINDINGS 3000
#define MAX_WORKERS  8

/* What a worker tells, in memory that it shares with this process. */
typedef struct
{
  guint64 round; /* (atomic) */
  const char *volatile step;
} Standing;

typedef struct
{
  pid_t pid;
  guint64 next; /* the first round of whoever takes its place */
  char *folder; /* (owned) */
  int output;   /* (owned) what it prints */
} Worker;

typedef struct
{
  Images *images; /* (owned) */
  char *folder;   /* (owned) */
  guint64 first;  /* round */
  guint64 end;    /* the round behind the last */
  gint64 until;   /* monotonic time; 0: none */
  guint n_workers;
  Standing *standings; /* (owned) shared */
  Worker workers[MAX_WORKERS];
  guint n_findings;
} Fuzz;

static GRand *
new_rand (guint64 round)
{
  const guint32 seed[] = { SEED, (guint32) round, (guint32) (round >> 32) };

  return g_rand_new_with_seed_array (seed, G_N_ELEMENTS (seed));
}

static void
run_round (const Fuzz *self, const char *folder, guint64 round, const char *volatile *step)
{
  g_autoptr (GRand) rand = new_rand (round);
  g_autoptr (Damage) damage = damage_new (self->images, rand);

  trial_run (folder, damage, rand, step);
}

/* --- a worker --------------------------------------------------------------------------------- */

static void
limit_time (void)
{
  const struct itimerval cpu = { .it_value = { .tv_sec = CPU_SECONDS } };
  const struct itimerval wall = { .it_value = { .tv_sec = WALL_SECONDS } };

  setitimer (ITIMER_PROF, &cpu, NULL);
  setitimer (ITIMER_REAL, &wall, NULL);
}

static void
limit_memory (void)
{
  const struct rlimit data = { DATA_BYTES, DATA_BYTES };

  if (!HAS_SANITIZER)
    g_assert_cmpint (setrlimit (RLIMIT_DATA, &data), ==, 0);
}

static guint
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void G_GNUC_NORETURN
work (const Fuzz *self, guint number, pid_t parent)
{
  const Worker *worker = &self->workers[number];
  Standing *standing = &self->standings[number];
  guint n_descriptors;

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (getppid () != parent)
    _exit (0);
  dup2 (worker->output, STDOUT_FILENO);
  dup2 (worker->output, STDERR_FILENO);
  limit_memory ();
  n_descriptors = count_descriptors ();
  for (guint64 round = worker->next; round < self->end; round += self->n_workers)
    {
      if (self->until != 0 && g_get_monotonic_time () >= self->until)
        break;
      __atomic_store_n (&standing->round, round, __ATOMIC_SEQ_CST);
      limit_time ();
      run_round (self, worker->folder, round, &standing->step);
      if (count_descriptors () != n_descriptors)
        fputs ("a descriptor is left open\n", stderr);
      fflush (NULL);
      if (lseek (worker->output, 0, SEEK_END) > 0)
        abort ();
    }
  _exit (0);
}

static void
start_worker (Fuzz *self, guint number)
{
  Worker *worker = &self->workers[number];
  const pid_t parent = getpid ();

  g_assert_cmpint (ftruncate (worker->output, 0), ==, 0);
  g_assert_cmpint (lseek (worker->output, 0, SEEK_SET), ==, 0);
  self->standings[number].step = "starting";
  fflush (NULL);
  worker->pid = fork ();
  g_assert_cmpint (worker->pid, >=, 0);
  if (worker->pid == 0)
    work (self, number, parent);
}

/* --- this process ----------------------------------------------------------------------------- */

static void
report (Fuzz *self, guint number, int status)
{
  const Worker *worker = &self->workers[number];
  guint64 round = self->standings[number].round;
  g_autoptr (GRand) rand = new_rand (round);
  g_autoptr (Damage) damage = damage_new (self->images, rand);
  g_autofree char *path =
      g_strdup_printf ("%s/fuzz-files-%" G_GUINT64_FORMAT ".db", g_get_tmp_dir (), round);
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  char output[4096];
  gssize length = pread (worker->output, output, sizeof output - 1, 0);

  output[MAX (length, 0)] = '\0';
  g_file_set_contents (path, (const char *) damage->file->data, damage->file->len, NULL);
  if (damage->log->len > 0)
    g_file_set_contents (log, (const char *) damage->log->data, damage->log->len, NULL);
  printf ("round %" G_GUINT64_FORMAT ", %s: %s\n%s\n%s\n%s\n",
          round,
          self->standings[number].step,
          WIFSIGNALED (status) ? strsignal (WTERMSIG (status)) : "it ended",
          damage->what->str,
          output,
          path);
  fflush (stdout);
  self->n_findings++;
}

/* Until each has made its rounds, or there is enough to be seen to. */
static void
wait_for_workers (Fuzz *self)
{
  guint n_running = self->n_workers;

  while (n_running > 0)
    {
      int status = 0;
      pid_t pid = waitpid (-1, &status, 0);
      guint number = 0;

      g_assert_true (pid > 0 || errno == EINTR);
      while (number < self->n_workers && self->workers[number].pid != pid)
        number++;
      if (pid <= 0 || number == self->n_workers)
        continue;
      self->workers[number].next = self->standings[number].round + self->n_workers;
      if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
        n_running--;
      else
        {
          report (self, number, status);
          if (self->n_findings < MAX_FINDINGS)
            start_worker (self, number);
          else
            n_running--;
        }
    }
}

static void
run_all (Fuzz *self)
{
  guint64 n_rounds = 0;

  for (guint i = 0; i < self->n_workers; i++)
    {
      Worker *worker = &self->workers[i];
      g_autofree char *name = g_strdup_printf ("worker-%u", i);

      worker->folder = g_build_filename (self->folder, name, NULL);
      g_assert_cmpint (g_mkdir (worker->folder, 0700), ==, 0);
      worker->output = memfd_create ("output", MFD_CLOEXEC);
      worker->next = self->first + i;
      start_worker (self, i);
    }
  wait_for_workers (self);
  for (guint i = 0; i < self->n_workers; i++)
    {
      if (self->standings[i].round >= self->first)
        n_rounds += (self->standings[i].round - self->first) / self->n_workers + 1;
      images_remove_folder (self->workers[i].folder);
      g_free (self->workers[i].folder);
      close (self->workers[i].output);
    }
  run_tell (n_rounds, "damaged files");
  printf ("from round %" G_GUINT64_FORMAT ", %u findings\n", self->first, self->n_findings);
}

int
main (int argc, char **argv)
{
  const RunLength run = run_begin (500, 6000, 1000000);
  Fuzz self = { .until = run.until, .end = run.until != 0 ? G_MAXUINT64 : run.n };

  mallopt (M_ARENA_MAX, 1);
  if (run.until != 0) /* not those of every other run */
    self.first = (guint64) g_random_int () << 24;
  self.folder = images_make_folder ();
  self.images = images_new (self.folder);
  self.n_workers = CLAMP (g_get_num_processors (), 1, MAX_WORKERS);
  self.standings = mmap (NULL,
                         MAX_WORKERS * sizeof (Standing),
                         PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS,
                         -1,
                         0);
  g_assert_true (self.standings != MAP_FAILED);
  if (argc > 2)
    {
      self.first = g_ascii_strtoull (argv[1], NULL, 10);
      self.end = MAX (self.first, g_ascii_strtoull (argv[2], NULL, 10));
    }
  if (argc == 2)
    run_round (&self, self.folder, g_ascii_strtoull (argv[1], NULL, 10), NULL);
  else
    run_all (&self);
  munmap (self.standings, MAX_WORKERS * sizeof (Standing));
  images_free (self.images);
  images_remove_folder (self.folder);
  g_free (self.folder);
  return self.n_findings > 0 ? 1 : 0;
}
