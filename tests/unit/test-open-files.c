/* test-open-files.c - which files a process has open, without any
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "dsq-error.h"
#include "engine/dsq-open-files-private.h"

static const DsqFilePlace a = { (char *) "/a", TRUE, 1, 10 };
static const DsqFilePlace a_elsewhere = { (char *) "/b/a", TRUE, 1, 10 };
static const DsqFilePlace a_missing = { (char *) "/a", FALSE, 0, 0 };
static const DsqFilePlace a_replaced = { (char *) "/a", TRUE, 1, 11 };
static const DsqFilePlace other_device = { (char *) "/c", TRUE, 2, 10 };

/* What uses them, and what they are; nothing looks into these. */
static int users[3];
static int engine;

static DsqOpenFile *
enter (const DsqFilePlace *place, gboolean read_only, gpointer user, DsqOpenResult expected)
{
  g_autoptr (GError) error = NULL;
  DsqOpenFile *file;

  g_assert_cmpint (dsq_open_files_enter (place, read_only, user, 0, &file, &error), ==, expected);
  if (expected == DSQ_OPEN_FAILED)
    g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  else
    g_assert_no_error (error);
  return file;
}

static DsqOpenFile *
open_first (const DsqFilePlace *place, gboolean read_only, gpointer user)
{
  DsqOpenFile *file = enter (place, read_only, user, DSQ_OPEN_FIRST);

  dsq_open_file_settle (file, &engine, place);
  return file;
}

static void
close_last (DsqOpenFile *file)
{
  g_assert_true (dsq_open_file_claim (file));
  dsq_open_file_end (file);
}

static void
test_one_a_file (void)
{
  DsqOpenFile *file = open_first (&a, FALSE, &users[0]);
  DsqOpenFile *apart;

  g_assert_true (enter (&a, FALSE, &users[1], DSQ_OPEN_JOINED) == file);
  g_assert_true (enter (&a_elsewhere, TRUE, &users[2], DSQ_OPEN_JOINED) == file);
  g_assert_true (dsq_open_file_get (file) == &engine);
  apart = open_first (&other_device, FALSE, &users[0]);
  g_assert_true (apart != file);
  g_assert_false (dsq_open_file_claim (file));
  g_assert_true (dsq_open_file_leave (file, &users[0]));
  g_assert_true (dsq_open_file_leave (file, &users[2]));
  /* the last one is to close it */
  g_assert_false (dsq_open_file_leave (file, &users[1]));
  dsq_open_file_end (file);
  close_last (apart);
  close_last (open_first (&a, FALSE, &users[0]));
}

static void
test_refuses_another (void)
{
  DsqOpenFile *file = open_first (&a, FALSE, &users[0]);
  g_autoptr (GError) error = NULL;

  enter (&a_replaced, FALSE, &users[1], DSQ_OPEN_FAILED);
  enter (&a_replaced, TRUE, &users[1], DSQ_OPEN_FAILED);
  enter (&a_missing, FALSE, &users[1], DSQ_OPEN_FAILED);
  g_assert_false (dsq_open_files_check (&a_replaced, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_BUSY);
  g_assert_true (dsq_open_files_check (&a, NULL));
  close_last (file);
  close_last (open_first (&a_replaced, FALSE, &users[1]));
}

/* Nobody comes while it is opened or closed: the deadline has passed already. */
static void
test_waits_in_vain (void)
{
  DsqOpenFile *file = enter (&a_missing, FALSE, &users[0], DSQ_OPEN_FIRST);

  enter (&a_missing, FALSE, &users[1], DSQ_OPEN_FAILED);
  enter (&a, TRUE, &users[1], DSQ_OPEN_FAILED);
  dsq_open_file_settle (file, &engine, &a);
  g_assert_true (dsq_open_file_claim (file));
  enter (&a, FALSE, &users[1], DSQ_OPEN_FAILED);
  /* it could not be closed */
  dsq_open_file_release (file);
  enter (&a, FALSE, &users[1], DSQ_OPEN_JOINED);
  g_assert_true (dsq_open_file_leave (file, &users[0]));
  close_last (file);
  /* it could not be opened */
  dsq_open_file_end (enter (&a, FALSE, &users[0], DSQ_OPEN_FIRST));
}

/* --- those that only read --------------------------------------------------------------------- */

static gboolean
take_all_but_one (gpointer user)
{
  return user != &users[1];
}

static void
test_readers_come_over (void)
{
  DsqOpenFile *file = open_first (&a, TRUE, &users[0]);
  DsqOpenFile *writer;
  g_autoptr (GPtrArray) readers = NULL;

  enter (&a, TRUE, &users[1], DSQ_OPEN_JOINED);
  writer = enter (&a, FALSE, &users[2], DSQ_OPEN_FIRST);
  g_assert_true (writer != file);
  readers = dsq_open_file_gather (writer, &a, take_all_but_one);
  g_assert_cmpuint (readers->len, ==, 1);
  g_assert_true (readers->pdata[0] == &users[0]);
  dsq_open_file_settle (writer, &engine, &a);
  g_assert_true (enter (&a, TRUE, &users[1], DSQ_OPEN_JOINED) == writer);
  for (guint i = 0; i < 2; i++)
    g_assert_true (dsq_open_file_leave (writer, &users[i]));
  close_last (writer);
  g_assert_true (dsq_open_file_leave (file, &users[1]));
  close_last (file);
}

/* What is busy is waited for by those alone who want the same, or what was at its path before. */
static void
test_waits_for_no_other (void)
{
  static const DsqFilePlace elsewhere_missing = { (char *) "/d", FALSE, 0, 0 };
  DsqOpenFile *files[] = {
    enter (&a_missing, FALSE, &users[0], DSQ_OPEN_FIRST),
    enter (&elsewhere_missing, FALSE, &users[0], DSQ_OPEN_FIRST),
    enter (&other_device, TRUE, &users[0], DSQ_OPEN_FIRST),
  };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  DsqOpenFile *ignored;
  DsqCall call = { 0 };

  dsq_open_file_settle (files[0], &engine, &a);
  g_assert_true (dsq_open_file_claim (files[0]));
  enter (&a_replaced, FALSE, &users[1], DSQ_OPEN_FAILED);
  g_assert_true (dsq_open_files_check (&a_replaced, NULL));
  close_last (open_first (&(DsqFilePlace){ (char *) "/e", TRUE, 1, 99 }, FALSE, &users[1]));
  /* for as long as it is not cancelled */
  g_assert_true (dsq_call_begin (&call, cancellable, NULL));
  g_assert_cmpint (dsq_open_files_enter (&a, FALSE, &users[1], G_MAXINT64, &ignored, NULL),
                   ==,
                   DSQ_OPEN_AGAIN);
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (dsq_open_files_enter (&a, FALSE, &users[1], G_MAXINT64, &ignored, NULL),
                   ==,
                   DSQ_OPEN_FAILED);
  dsq_call_end (&call);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    dsq_open_file_end (files[i]);
}

/* Wherever it stands in the list, who reads gets what is open to be written. */
static void
test_prefers_what_is_written (void)
{
  DsqOpenFile *first = open_first (&other_device, FALSE, &users[0]);
  DsqOpenFile *reader = open_first (&a, TRUE, &users[0]);
  DsqOpenFile *writer = open_first (&a, FALSE, &users[1]);

  g_assert_true (enter (&a, TRUE, &users[2], DSQ_OPEN_JOINED) == writer);
  close_last (first);
  g_assert_true (enter (&a, TRUE, &users[2], DSQ_OPEN_JOINED) == writer);
  for (guint i = 0; i < 2; i++)
    g_assert_true (dsq_open_file_leave (writer, &users[2]));
  close_last (writer);
  close_last (reader);
}

static void
test_a_writer_waits_for_a_reader (void)
{
  DsqOpenFile *file = enter (&a, TRUE, &users[0], DSQ_OPEN_FIRST);

  enter (&a, FALSE, &users[1], DSQ_OPEN_FAILED);
  dsq_open_file_settle (file, &engine, &a);
  close_last (open_first (&a, FALSE, &users[1]));
  close_last (file);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define N_THREADS 4
#define N_ROUNDS  2000

typedef struct
{
  int is_open;  /* (atomic) */
  int n_opened; /* (atomic) */
} World;

/* Opens and closes: nobody else has it open, opens it or closes it meanwhile but by coming to it.
 */
static gpointer
come_and_go (gpointer data)
{
  World *world = data;
  int user;

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      DsqOpenResult result;
      DsqOpenFile *file;

      do
        result = dsq_open_files_enter (&a, FALSE, &user, G_MAXINT64, &file, NULL);
      while (result == DSQ_OPEN_AGAIN);
      if (result == DSQ_OPEN_FIRST)
        {
          g_assert_false (g_atomic_int_exchange (&world->is_open, TRUE));
          g_atomic_int_inc (&world->n_opened);
          dsq_open_file_settle (file, world, &a);
        }
      g_assert_true (g_atomic_int_get (&world->is_open));
      g_assert_true (dsq_open_file_get (file) == world);
      if (dsq_open_file_leave (file, &user))
        continue;
      g_assert_true (g_atomic_int_exchange (&world->is_open, FALSE));
      dsq_open_file_end (file);
    }
  return NULL;
}

static void
test_threads (void)
{
  World world = { 0 };
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new (NULL, come_and_go, &world);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_false (world.is_open);
  g_assert_cmpint (world.n_opened, >, 0);
}

/* Whoever waits goes on when it is closed. */
static gpointer
open_in_thread (gpointer data)
{
  DsqOpenFile *file;
  DsqOpenResult result;

  do
    result = dsq_open_files_enter (&a, FALSE, &users[1], G_MAXINT64, &file, NULL);
  while (result == DSQ_OPEN_AGAIN);
  g_assert_cmpint (result, ==, DSQ_OPEN_FIRST);
  dsq_open_file_end (file);
  return NULL;
}

static void
test_an_open_during_the_last_close (void)
{
  DsqOpenFile *file = open_first (&a, FALSE, &users[0]);
  GThread *thread;

  g_assert_true (dsq_open_file_claim (file));
  thread = g_thread_new (NULL, open_in_thread, NULL);
  g_usleep (20 * 1000);
  dsq_open_file_end (file);
  g_thread_join (thread);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (dsq_fork_enter_to_open (NULL));
  dsq_fork_leave ();
#define ADD(path, test) g_test_add_func ("/open-files/" path, test)
  ADD ("one-a-file", test_one_a_file);
  ADD ("refuses-another", test_refuses_another);
  ADD ("waits-in-vain", test_waits_in_vain);
  ADD ("readers-come-over", test_readers_come_over);
  ADD ("a-writer-waits-for-a-reader", test_a_writer_waits_for_a_reader);
  ADD ("waits-for-no-other", test_waits_for_no_other);
  ADD ("prefers-what-is-written", test_prefers_what_is_written);
  ADD ("threads", test_threads);
  ADD ("an-open-during-the-last-close", test_an_open_during_the_last_close);
  return g_test_run ();
}
