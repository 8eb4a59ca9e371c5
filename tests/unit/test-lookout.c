/* test-lookout.c - when the thread looks, and when it does not
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <unistd.h>

#include "engine/dsq-lookout-private.h"
#include "part-support.h"

typedef struct
{
  DsqLookout lookout;
  int ends[2];    /* (owned) the second is the test's, and what it writes is a write to the log */
  gboolean fails; /* there is no descriptor */
  guint n_opened;
  guint n_looks; /* (atomic) */
} Fixture;

static gboolean
open_cb (gpointer user_data, int *out_fd, GError **error)
{
  Fixture *self = user_data;

  self->n_opened++;
  *out_fd = -1;
  if (self->fails)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "there is none");
      return FALSE;
    }
  if (self->ends[0] >= 0)
    *out_fd = fcntl (self->ends[0], F_DUPFD_CLOEXEC, 0);
  return TRUE;
}

static void
look_cb (gpointer user_data)
{
  __atomic_fetch_add (&((Fixture *) user_data)->n_looks, 1, __ATOMIC_SEQ_CST);
}

static const DsqLookoutFuncs funcs = { open_cb, look_cb };

static void
set_up (Fixture *self, gconstpointer data)
{
  g_assert_cmpint (pipe2 (self->ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
  dsq_lookout_init (&self->lookout, &funcs, self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_lookout_clear (&self->lookout);
  if (self->ends[0] >= 0)
    close (self->ends[0]);
  close (self->ends[1]);
}

static void
enter (Fixture *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_lookout_enter (&self->lookout, &error));
  g_assert_no_error (error);
}

static guint
n_looks (Fixture *self)
{
  return __atomic_load_n (&self->n_looks, __ATOMIC_SEQ_CST);
}

static void
write_and_wait (Fixture *self)
{
  guint before = n_looks (self);

  g_assert_cmpint (write (self->ends[1], "x", 1), ==, 1);
  while (n_looks (self) == before)
    g_usleep (1000);
}

static void
test_looks_when_something_is_written (Fixture *self, gconstpointer data)
{
  enter (self);
  g_usleep (50 * 1000);
  g_assert_cmpuint (n_looks (self), ==, 0);
  write_and_wait (self);
  write_and_wait (self);
  dsq_lookout_leave (&self->lookout);
}

/* Of a second at most ten looks fit, for each wait is twice the one before. */
static void
test_looks_ever_less_often (Fixture *self, gconstpointer data)
{
  gint64 begin = g_get_monotonic_time ();
  guint n_most = 1;

  enter (self);
  write_and_wait (self);
  while (n_looks (self) < 8)
    g_usleep (1000);
  for (gint64 waited = 1; waited * 1000 < g_get_monotonic_time () - begin; waited += 2 * waited)
    n_most += 2;
  g_assert_cmpuint (n_looks (self), <=, n_most + 2);
  /* 1 + 2 + 4 + ... + 128 milliseconds */
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, 255 * 1000);
  dsq_lookout_leave (&self->lookout);
}

static void
test_one_thread_for_all (Fixture *self, gconstpointer data)
{
  enter (self);
  enter (self);
  g_assert_cmpuint (self->n_opened, ==, 1);
  dsq_lookout_leave (&self->lookout);
  write_and_wait (self);
  dsq_lookout_leave (&self->lookout);
  g_assert_false (self->lookout.has_thread);
  enter (self);
  g_assert_cmpuint (self->n_opened, ==, 2);
  write_and_wait (self);
  dsq_lookout_leave (&self->lookout);
}

static void
test_no_thread_where_nothing_comes (Fixture *self, gconstpointer data)
{
  close (self->ends[0]);
  self->ends[0] = -1;
  enter (self);
  g_assert_false (self->lookout.has_thread);
  dsq_lookout_leave (&self->lookout);
}

static void
test_who_cannot_begin_has_not (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->fails = TRUE;
  g_assert_false (dsq_lookout_enter (&self->lookout, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  self->fails = FALSE;
  enter (self);
  write_and_wait (self);
  dsq_lookout_leave (&self->lookout);
}

static void
test_ends_before_those_who_use_it (Fixture *self, gconstpointer data)
{
  guint at_end;

  enter (self);
  write_and_wait (self);
  dsq_lookout_stop (&self->lookout);
  at_end = n_looks (self);
  g_assert_cmpint (write (self->ends[1], "x", 1), ==, 1);
  g_usleep (20 * 1000);
  g_assert_cmpuint (n_looks (self), ==, at_end);
  dsq_lookout_leave (&self->lookout);
}

int
main (int argc, char **argv)
{
  static const PartTest tests[] = {
    PART_TEST ("looks-when-something-is-written", test_looks_when_something_is_written),
    PART_TEST ("looks-ever-less-often", test_looks_ever_less_often),
    PART_TEST ("one-thread-for-all", test_one_thread_for_all),
    PART_TEST ("no-thread-where-nothing-comes", test_no_thread_where_nothing_comes),
    PART_TEST ("who-cannot-begin-has-not", test_who_cannot_begin_has_not),
    PART_TEST ("ends-before-those-who-use-it", test_ends_before_those_who_use_it),
  };

  return RUN_PART_TESTS ("lookout", argc, argv, tests);
}
