/* test-walker.c - what a thread that walks has itself done
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "engine/dsq-walker-private.h"

static void
test_counts_what_is_walked (void)
{
  guint64 table = dsq_walker_new_table ();
  guint64 other = dsq_walker_new_table ();

  dsq_walker_count (table, 5);
  dsq_walker_join (table);
  g_assert_cmpint (dsq_walker_get_count (table), ==, 0);
  dsq_walker_count (table, 2);
  dsq_walker_count (table, -3);
  dsq_walker_count (table, 0);
  dsq_walker_count (other, 7);
  g_assert_cmpint (dsq_walker_get_count (table), ==, -1);
  g_assert_false (dsq_walker_has_joined (other));

  dsq_walker_join (other);
  dsq_walker_leave (table);
  g_assert_false (dsq_walker_has_joined (table));
  g_assert_true (dsq_walker_has_joined (other));
  dsq_walker_leave (other);
}

static gpointer
count_in_thread (gpointer data)
{
  guint64 table = *(guint64 *) data;

  g_assert_false (dsq_walker_has_joined (table));
  g_assert_false (dsq_walker_was_given (table, 77));
  g_assert_cmpint (dsq_walker_get_count (table), ==, 0);
  dsq_walker_count (table, 1);
  dsq_walker_join (table);
  dsq_walker_count (table, 10);
  g_assert_cmpint (dsq_walker_get_count (table), ==, 10);
  return g_memdup2 (&(guint64){ dsq_walker_thread () }, sizeof (guint64));
}

static void
test_each_thread_by_itself (void)
{
  guint64 table = dsq_walker_new_table ();
  g_autofree guint64 *thread = NULL;

  dsq_walker_join (table);
  thread = g_thread_join (g_thread_new ("walker", count_in_thread, &table));
  g_assert_cmpint (dsq_walker_get_count (table), ==, 0);
  g_assert_cmpuint (*thread, !=, dsq_walker_thread ());
  dsq_walker_leave (table);
}

static void
test_blind_sets (void)
{
  guint64 table = dsq_walker_new_table ();

  dsq_walker_join (table);
  dsq_walker_count_staged (table, 77, TRUE);
  g_assert_cmpint (dsq_walker_get_count (table), ==, 0);
  dsq_walker_expect (table, 77, TRUE);
  dsq_walker_expect (table, 78, TRUE);
  dsq_walker_count_staged (table, 79, TRUE);
  g_assert_cmpint (dsq_walker_get_count (table), ==, 0);
  dsq_walker_count_staged (table, 77, TRUE);
  dsq_walker_count_staged (table, 77, TRUE);
  dsq_walker_count_staged (table, 78, TRUE);
  g_assert_cmpint (dsq_walker_get_count (table), ==, 2);
  dsq_walker_leave (table);
}

/* What was looked for in vain may be staged otherwise, or be there when it is set again. */
static void
test_what_is_no_longer_missing (void)
{
  guint64 table = dsq_walker_new_table ();

  dsq_walker_join (table);
  dsq_walker_expect (table, 77, TRUE);
  dsq_walker_count_staged (table, 77, FALSE);
  dsq_walker_count_staged (table, 77, TRUE);
  dsq_walker_expect (table, 78, TRUE);
  dsq_walker_expect (table, 78, FALSE);
  dsq_walker_count_staged (table, 78, TRUE);
  dsq_walker_expect (table, 79, TRUE);
  dsq_walker_leave (table);
  dsq_walker_join (table);
  dsq_walker_count_staged (table, 79, TRUE);
  g_assert_cmpint (dsq_walker_get_count (table), ==, 0);
  dsq_walker_leave (table);
}

static void
test_keys_given (void)
{
  guint64 table = dsq_walker_new_table ();
  guint64 other = dsq_walker_new_table ();

  dsq_walker_join (table);
  dsq_walker_join (other);
  dsq_walker_note_given (table, 77);
  g_assert_true (dsq_walker_was_given (table, 77));
  g_assert_false (dsq_walker_was_given (table, 78));
  g_assert_false (dsq_walker_was_given (other, 77));
  /* whichever was removed: it may be this one */
  dsq_walker_count (table, -1);
  g_assert_false (dsq_walker_was_given (table, 77));
  dsq_walker_note_given (table, 77);
  dsq_walker_join (table);
  g_assert_false (dsq_walker_was_given (table, 77));
  dsq_walker_leave (table);
  dsq_walker_leave (other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/walker/counts-what-is-walked", test_counts_what_is_walked);
  g_test_add_func ("/dsq/walker/each-thread-by-itself", test_each_thread_by_itself);
  g_test_add_func ("/dsq/walker/blind-sets", test_blind_sets);
  g_test_add_func ("/dsq/walker/what-is-no-longer-missing", test_what_is_no_longer_missing);
  g_test_add_func ("/dsq/walker/keys-given", test_keys_given);
  return g_test_run ();
}
