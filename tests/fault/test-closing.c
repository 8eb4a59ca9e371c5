/* test-closing.c - processes that close a store at the same moment
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "cold-support.h"
#include "cold/dsq-facts-private.h"
#include "fault-vfs.h"

static gpointer
take_turn (gpointer facts)
{
  gint64 began = g_get_monotonic_time ();

  dsq_facts_take_turn (facts);
  return GSIZE_TO_POINTER ((gsize) (g_get_monotonic_time () - began));
}

/* One has it at a time; who does not give it back is waited for for a second. */
static void
test_a_turn_is_waited_for (void)
{
  const guint8 store_id[DSQ_KEY_ID_LENGTH] = "of this store..";
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *ring = g_strconcat (path, "-facts", NULL);
  DsqFacts *ours, *theirs, *only_reads;
  GThread *thread;

  make_store (path);
  ours = dsq_facts_new (path, store_id, NULL, FALSE);
  theirs = dsq_facts_new (path, store_id, NULL, FALSE);
  g_assert_cmpuint (GPOINTER_TO_SIZE (take_turn (ours)), <, 900 * 1000);
  thread = g_thread_new ("turn", take_turn, theirs);
  g_usleep (50 * 1000);
  dsq_facts_give_turn (ours);
  g_assert_cmpuint (GPOINTER_TO_SIZE (g_thread_join (thread)), <, 950 * 1000);
  g_assert_cmpuint (GPOINTER_TO_SIZE (take_turn (ours)), >=, 1000 * 1000);
  dsq_facts_give_turn (theirs);

  /* who may not write waits for none */
  dsq_facts_give_turn (ours);
  only_reads = dsq_facts_new (path, store_id, NULL, TRUE);
  take_turn (only_reads);
  g_assert_cmpuint (GPOINTER_TO_SIZE (take_turn (ours)), <, 900 * 1000);
  dsq_facts_free (only_reads);

  /* of the file that has the name */
  take_turn (ours);
  g_assert_no_errno (unlink (ring));
  take_turn (theirs);
  take_turn (ours);
  g_assert_true (g_file_test (ring, G_FILE_TEST_EXISTS));
  dsq_facts_free (ours);
  dsq_facts_free (theirs);
  remove_folder (folder);
}

#define UNLOCK_US 20000

/* Another process: has the store open, says so, and closes it when it is told. */
static void
close_as_other_process (const char *path, int told, int says)
{
  Foreign foreign;
  DsqColdTier *tier = open_tier (path, &foreign);
  char byte = 0;

  put (tier, "a", "1");
  g_assert_cmpint (write (says, &byte, 1), ==, 1);
  g_assert_cmpint (read (told, &byte, 1), ==, 1);
  fault_set_delay (FAULT_UNLOCK, FAULT_STORE, UNLOCK_US);
  close_tier (tier);
  _exit (0);
}

/* Each would see that the other still has the file, and leave the log to it. */
static void
test_who_closes_at_the_same_moment (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store", NULL);
  g_autofree char *left = NULL;
  pid_t processes[3];
  int told[2], says[2];
  char bytes[G_N_ELEMENTS (processes)] = { 0 };

  g_assert_no_errno (pipe (told));
  g_assert_no_errno (pipe (says));
  for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
    {
      processes[i] = fork ();
      g_assert_no_errno (processes[i]);
      if (processes[i] == 0)
        close_as_other_process (path, told[0], says[1]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
    g_assert_cmpint (read (says[0], bytes, 1), ==, 1);
  g_assert_cmpint (write (told[1], bytes, sizeof bytes), ==, sizeof bytes);
  for (guint i = 0; i < G_N_ELEMENTS (processes); i++)
    wait_for_process (processes[i]);
  left = list_folder (folder);
  g_assert_cmpstr (left, ==, "store");
  for (guint i = 0; i < 2; i++)
    {
      close (told[i]);
      close (says[i]);
    }
  assert_sound (path);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  fault_install ();
  g_test_add_func ("/dsq/closing/a-turn-is-waited-for", test_a_turn_is_waited_for);
  g_test_add_func ("/dsq/closing/at-the-same-moment", test_who_closes_at_the_same_moment);
  return g_test_run ();
}
