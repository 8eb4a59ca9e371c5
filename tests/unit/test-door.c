/* test-door.c - who is inside, and what a fork waits for
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dsq-call-private.h"
#include "dsq-error.h"
#include "engine/dsq-door-private.h"
#include "sqlite/dsq-database-private.h"

/* A fork that waits for nobody takes less, on however busy a machine; one that waits in vain more.
 */
#define SOON_US  (3 * G_USEC_PER_SEC)
#define BOUND_US (5 * G_USEC_PER_SEC)
#define DEADLINE 30

/* What a thread does, and how far it is. */
typedef struct
{
  DsqDoor door;
  DsqMutex mutex;
  pthread_cond_t cond; /* (lock mutex) */
  gboolean goes_on;    /* (lock mutex) the one that waits for the condition */
  gboolean is_there;   /* (atomic) */
  gboolean may_leave;  /* (atomic) */
  gboolean has_left;   /* (atomic) */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  g_assert_true (dsq_fork_enter_to_open (NULL));
  dsq_fork_leave ();
  dsq_door_init (&self->door);
  dsq_mutex_init (&self->mutex, DSQ_RANK_WRITER, 0);
  dsq_cond_init (&self->cond);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_door_clear (&self->door);
  dsq_mutex_clear (&self->mutex);
  pthread_cond_destroy (&self->cond);
}

static void
set (gboolean *flag)
{
  __atomic_store_n (flag, TRUE, __ATOMIC_SEQ_CST);
}

static void
wait_for (gboolean *flag)
{
  while (!__atomic_load_n (flag, __ATOMIC_SEQ_CST))
    g_usleep (1000);
}

/* A sanitizer would miss the threads that are not in a child. */
static void G_GNUC_NORETURN
leave_child (int found)
{
  syscall (SYS_exit_group, found);
  g_assert_not_reached ();
}

/* What @work gives in a child of fork(), and how long the fork took. */
static int
in_child (int (*work) (Fixture *), Fixture *fixture, gint64 *out_took_us)
{
  gint64 began = g_get_monotonic_time ();
  pid_t child = fork ();
  int status;

  if (child == 0)
    {
      alarm (DEADLINE);
      leave_child (work (fixture));
    }
  g_assert_cmpint (child, >, 0);
  if (out_took_us != NULL)
    *out_took_us = g_get_monotonic_time () - began;
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

/* 1: the store is inherited; 2: stores may be opened. */
static int
look_around (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  int found = 0;

  if (!dsq_door_enter (&self->door, &error) && g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED))
    found |= 1;
  g_clear_error (&error);
  if (dsq_fork_enter_to_open (&error))
    {
      dsq_fork_leave ();
      found |= 2;
    }
  else if (!g_error_matches (error, DSQ_ERROR, DSQ_ERROR_FORKED) ||
           strstr (error->message, "forkserver") == NULL ||
           strstr (error->message, "spawn") == NULL)
    found |= 4;
  return found;
}

/* A child's own child, which inherits what its parent found of itself. */
static int
look_around_in_grandchild (Fixture *self)
{
  return in_child (look_around, self, NULL);
}

/* --- users ------------------------------------------------------------------------------------ */

static void *
leave_later (void *data)
{
  Fixture *self = data;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  set (&self->is_there);
  g_usleep (100 * 1000);
  set (&self->has_left);
  dsq_door_leave (&self->door);
  return NULL;
}

static void
test_closing_waits_for_users (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  pthread_t thread;

  pthread_create (&thread, NULL, leave_later, self);
  wait_for (&self->is_there);
  dsq_door_shut (&self->door);
  g_assert_true (dsq_door_is_closed (&self->door));
  g_assert_false (dsq_door_enter (&self->door, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  dsq_door_wait (&self->door, NULL);
  g_assert_true (__atomic_load_n (&self->has_left, __ATOMIC_SEQ_CST));
  pthread_join (thread, NULL);
  dsq_door_open (&self->door);
  g_assert_true (dsq_door_enter (&self->door, NULL));
  dsq_door_leave (&self->door);
}

static void
test_memory_only_stays_outside (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  dsq_call_begin_memory_only ();
  g_assert_false (dsq_door_enter (&self->door, &error));
  g_assert_true (dsq_call_end_memory_only ());
  g_assert_no_error (error);
  dsq_door_shut (&self->door);
  dsq_door_wait (&self->door, NULL); /* it is counted no more */
}

/* --- forks ------------------------------------------------------------------------------------ */

static void
test_child_has_inherited (Fixture *self, gconstpointer data)
{
  guint64 stamp = dsq_fork_get_stamp ();

  g_assert_cmpuint (stamp, !=, 0);
  g_assert_cmpint (in_child (look_around, self, NULL), ==, 1 | 2);
  g_assert_cmpint (in_child (look_around_in_grandchild, self, NULL), ==, 1 | 2);
  g_assert_cmpuint (dsq_fork_get_stamp (), ==, stamp);
  g_assert_true (dsq_door_enter (&self->door, NULL));
  dsq_door_leave (&self->door);
}

static void
test_fork_waits_for_who_is_inside (Fixture *self, gconstpointer data)
{
  pthread_t thread;

  pthread_create (&thread, NULL, leave_later, self);
  wait_for (&self->is_there);
  g_assert_cmpint (in_child (look_around, self, NULL), ==, 1 | 2);
  g_assert_true (__atomic_load_n (&self->has_left, __ATOMIC_SEQ_CST));
  pthread_join (thread, NULL);
}

static void *
stay_inside (void *data)
{
  Fixture *self = data;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  set (&self->is_there);
  wait_for (&self->may_leave);
  set (&self->has_left);
  dsq_door_leave (&self->door);
  return NULL;
}

static void
test_fork_does_not_wait_for_ever (Fixture *self, gconstpointer data)
{
  pthread_t thread;
  gint64 took_us;

  pthread_create (&thread, NULL, stay_inside, self);
  wait_for (&self->is_there);
  g_assert_cmpint (in_child (look_around, self, &took_us), ==, 1);
  g_assert_cmpint (took_us, >=, BOUND_US);
  g_assert_cmpint (in_child (look_around_in_grandchild, self, NULL), ==, 1);
  set (&self->may_leave);
  pthread_join (thread, NULL);
  g_assert_cmpint (in_child (look_around, self, NULL), ==, 1 | 2);
}

static void *
come_later (void *data)
{
  Fixture *self = data;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  g_assert_true (__atomic_load_n (&self->has_left, __ATOMIC_SEQ_CST));
  dsq_door_leave (&self->door);
  return NULL;
}

static gboolean is_forking; /* (atomic) */

static void
tell_of_fork (void)
{
  __atomic_store_n (&is_forking, TRUE, __ATOMIC_SEQ_CST);
}

/* What is told to be called last is called first: before the fork waits for those inside. */
static void *
fork_meanwhile (void *data)
{
  g_assert_cmpint (pthread_atfork (tell_of_fork, NULL, NULL), ==, 0);
  g_assert_cmpint (in_child (look_around, data, NULL), ==, 1 | 2);
  return NULL;
}

static void
test_nobody_enters_before_a_fork (Fixture *self, gconstpointer data)
{
  pthread_t inside, forking, coming;

  pthread_create (&inside, NULL, stay_inside, self);
  wait_for (&self->is_there);
  pthread_create (&forking, NULL, fork_meanwhile, self);
  wait_for (&is_forking);
  g_usleep (200 * 1000);
  pthread_create (&coming, NULL, come_later, self);
  g_usleep (200 * 1000);
  set (&self->may_leave);
  pthread_join (inside, NULL);
  pthread_join (forking, NULL);
  pthread_join (coming, NULL);
}

/* --- who waits is not inside ------------------------------------------------------------------ */

static void *
wait_for_a_condition (void *data)
{
  Fixture *self = data;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  dsq_mutex_lock (&self->mutex);
  set (&self->is_there);
  while (!self->goes_on)
    dsq_cond_wait (&self->cond, &self->mutex);
  dsq_mutex_unlock (&self->mutex);
  dsq_door_leave (&self->door);
  return NULL;
}

/* Holds the mutex meanwhile, as who waits for another process does. */
static void *
wait_for_another_process (void *data)
{
  Fixture *self = data;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  dsq_mutex_lock (&self->mutex);
  set (&self->is_there);
  while (!__atomic_load_n (&self->may_leave, __ATOMIC_SEQ_CST))
    dsq_fork_sleep (1000);
  dsq_mutex_unlock (&self->mutex);
  dsq_door_leave (&self->door);
  return NULL;
}

static void *
wait_for_the_mutex (void *data)
{
  Fixture *self = data;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  dsq_mutex_lock (&self->mutex);
  dsq_mutex_unlock (&self->mutex);
  dsq_door_leave (&self->door);
  return NULL;
}

static void
fork_soon (Fixture *self)
{
  gint64 took_us;

  for (guint i = 0; i < 20; i++)
    {
      g_assert_cmpint (in_child (look_around, self, &took_us), ==, 1 | 2);
      g_assert_cmpint (took_us, <, SOON_US);
    }
}

static void
test_a_condition_is_outside (Fixture *self, gconstpointer data)
{
  pthread_t thread;

  pthread_create (&thread, NULL, wait_for_a_condition, self);
  wait_for (&self->is_there);
  fork_soon (self);
  dsq_mutex_lock (&self->mutex);
  self->goes_on = TRUE;
  pthread_cond_broadcast (&self->cond);
  dsq_mutex_unlock (&self->mutex);
  pthread_join (thread, NULL);
}

static void
test_a_mutex_and_its_holders_sleep_are_outside (Fixture *self, gconstpointer data)
{
  pthread_t holder, waiting[3];

  pthread_create (&holder, NULL, wait_for_another_process, self);
  wait_for (&self->is_there);
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++)
    pthread_create (&waiting[i], NULL, wait_for_the_mutex, self);
  g_usleep (100 * 1000);
  fork_soon (self);
  set (&self->may_leave);
  pthread_join (holder, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++)
    pthread_join (waiting[i], NULL);
}

static void
test_the_forking_thread_is_no_hindrance (Fixture *self, gconstpointer data)
{
  gint64 took_us;

  g_assert_true (dsq_door_enter (&self->door, NULL));
  g_assert_cmpint (in_child (look_around, self, &took_us), ==, 1 | 2);
  g_assert_cmpint (took_us, <, SOON_US);
  dsq_door_leave (&self->door);
}

/* --- SQLite ----------------------------------------------------------------------------------- */

/* Takes minutes, unless it is interrupted. */
#define LONG_STATEMENT                                                                             \
  "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1 << 40)" \
  " SELECT count(*) FROM numbers"

typedef struct
{
  DsqDatabase *database; /* (owned) */
  const char *sql;
  gboolean is_there; /* (atomic) */
  gboolean succeeds; /* out */
} Statement;

static void *
run_statement (void *data)
{
  Statement *self = data;

  g_assert_true (dsq_fork_enter_to_open (NULL));
  set (&self->is_there);
  self->succeeds = dsq_database_run (self->database, self->sql, "test", NULL);
  dsq_fork_leave ();
  return NULL;
}

static void
test_a_long_statement_lets_forks_pass (Fixture *self, gconstpointer data)
{
  Statement statement = { .sql = LONG_STATEMENT };
  pthread_t thread;

  dsq_fork_enter ();
  statement.database = dsq_database_open_scratch (NULL);
  dsq_fork_leave ();
  pthread_create (&thread, NULL, run_statement, &statement);
  wait_for (&statement.is_there);
  fork_soon (self);
  sqlite3_interrupt (statement.database->handle);
  pthread_join (thread, NULL);
  g_assert_false (statement.succeeds);
  dsq_fork_enter ();
  dsq_database_close (statement.database);
  dsq_fork_leave ();
}

static void
test_the_wait_for_another_connection_is_outside (Fixture *self, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("dsq-door-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "file", NULL);
  Statement statement = { .sql = "BEGIN IMMEDIATE" };
  DsqDatabase *other;
  pthread_t thread;

  dsq_fork_enter ();
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  other = dsq_database_open (path, DSQ_DATABASE_WRITE, 0, NULL);
  statement.database = dsq_database_open (path, DSQ_DATABASE_WRITE, DEADLINE * 1000, NULL);
  g_assert_true (dsq_database_run (other, "PRAGMA journal_mode = MEMORY", "test", NULL));
  g_assert_true (
      dsq_database_run (statement.database, "PRAGMA journal_mode = MEMORY", "test", NULL));
  g_assert_true (dsq_database_run (other, "BEGIN IMMEDIATE", "test", NULL));
  dsq_fork_leave ();
  pthread_create (&thread, NULL, run_statement, &statement);
  wait_for (&statement.is_there);
  fork_soon (self);
  dsq_fork_enter ();
  dsq_database_close (other);
  dsq_fork_leave ();
  pthread_join (thread, NULL);
  g_assert_true (statement.succeeds);
  dsq_fork_enter ();
  dsq_database_close (statement.database);
  dsq_fork_leave ();
  g_unlink (path);
  g_rmdir (folder);
}

/* Its child has run none of fork()'s handlers. */
static void
test_bare_clone (Fixture *self, gconstpointer data)
{
  pid_t child = (pid_t) syscall (SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
  int status;

  if (child == 0)
    {
      int found;

      alarm (DEADLINE);
      found = look_around (self);
      leave_child (found == 1 ? look_around_in_grandchild (self) : 64);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 1);
}

/* --- many ------------------------------------------------------------------------------------- */

static void *
come_and_go (void *data)
{
  Fixture *self = data;

  while (!__atomic_load_n (&self->may_leave, __ATOMIC_SEQ_CST))
    {
      g_assert_true (dsq_door_enter (&self->door, NULL));
      dsq_mutex_lock (&self->mutex);
      g_assert_true (dsq_door_enter (&self->door, NULL)); /* calls are made of calls */
      dsq_fork_resume (dsq_fork_pause ());
      dsq_door_leave (&self->door);
      dsq_mutex_unlock (&self->mutex);
      dsq_door_leave (&self->door);
    }
  return NULL;
}

static void
test_many_forks_among_many (Fixture *self, gconstpointer data)
{
  pthread_t threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_create (&threads[i], NULL, come_and_go, self);
  for (guint i = 0; i < 5; i++)
    fork_soon (self);
  set (&self->may_leave);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    pthread_join (threads[i], NULL);
  dsq_door_shut (&self->door);
  dsq_door_wait (&self->door, NULL);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/dsq/door/closing-waits-for-users", test_closing_waits_for_users },
    { "/dsq/door/memory-only-stays-outside", test_memory_only_stays_outside },
    { "/dsq/door/child-has-inherited", test_child_has_inherited },
    { "/dsq/door/fork-waits-for-who-is-inside", test_fork_waits_for_who_is_inside },
    { "/dsq/door/fork-does-not-wait-for-ever", test_fork_does_not_wait_for_ever },
    { "/dsq/door/nobody-enters-before-a-fork", test_nobody_enters_before_a_fork },
    { "/dsq/door/a-condition-is-outside", test_a_condition_is_outside },
    { "/dsq/door/a-mutex-and-its-holders-sleep-are-outside",
      test_a_mutex_and_its_holders_sleep_are_outside },
    { "/dsq/door/the-forking-thread-is-no-hindrance", test_the_forking_thread_is_no_hindrance },
    { "/dsq/door/a-long-statement-lets-forks-pass", test_a_long_statement_lets_forks_pass },
    { "/dsq/door/the-wait-for-another-connection-is-outside",
      test_the_wait_for_another_connection_is_outside },
    { "/dsq/door/bare-clone", test_bare_clone },
    { "/dsq/door/many-forks-among-many", test_many_forks_among_many },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
