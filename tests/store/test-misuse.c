/* test-misuse.c - NULL for a string is a mistake of the programmer, and told as one
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dictsqlite.h>

#define EXPECT(call, result)                                                                       \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_test_expect_message ("Dsq", G_LOG_LEVEL_CRITICAL, "*!= NULL*failed");                        \
    g_assert_true ((call) == (result));                                                            \
    g_test_assert_expected_messages ();                                                            \
  }                                                                                                \
  G_STMT_END

static void
test_null_strings (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (":memory:", DSQ_PERSIST_MEMORY, NULL, &error);
  gsize length;

  g_assert_no_error (error);
  EXPECT (dsq_store_get_text (store, NULL, &length, &error), NULL);
  EXPECT (dsq_store_set_text (store, NULL, &error), FALSE);
  EXPECT (dsq_store_contains_text (store, NULL, &error), FALSE);
  EXPECT (dsq_store_remove_text (store, NULL, &error), FALSE);
  EXPECT (dsq_store_peek_text (store, NULL, &length, &error), NULL);
  EXPECT (dsq_store_peek_string (store, NULL, &error), NULL);
  EXPECT (dsq_store_try_set_text (store, NULL, &error), FALSE);
  EXPECT (dsq_store_get (store, NULL, NULL, &error), NULL);
  EXPECT (dsq_store_set_string (store, "key", NULL, NULL, &error), FALSE);
  EXPECT (dsq_store_set_string (store, NULL, "value", NULL, &error), FALSE);
  EXPECT (dsq_store_get_many (store, NULL, NULL, &error), NULL);
  EXPECT (dsq_store_get_table (store, NULL, NULL, &error), NULL);
  EXPECT (dsq_store_open (NULL, DSQ_PERSIST_LAZY, NULL, &error), NULL);
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/misuse/null-strings", test_null_strings);
  return g_test_run ();
}
