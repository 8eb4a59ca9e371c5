/* transaction-support.h - what tests of transactions have in common
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store-support.h"

static inline DsqStore *
open_store (const char *folder, DsqPersistMode mode)
{
  return open_small_store (folder, mode, FALSE);
}

static inline void
set_up (Fixture *fixture, gconstpointer mode)
{
  fixture->folder = make_folder ();
  fixture->store = open_store (fixture->folder, GPOINTER_TO_INT (mode));
}

/* --- shorter words ---------------------------------------------------------------------------- */

static inline DsqTransaction *
begin (gpointer store)
{
  g_autoptr (GError) error = NULL;
  DsqTransaction *transaction = dsq_store_begin (store, &error);

  g_assert_no_error (error);
  g_assert_nonnull (transaction);
  return transaction;
}

static inline void
commit (DsqTransaction *transaction)
{
  g_autoptr (GError) error = NULL;

  dsq_transaction_commit (transaction, NULL, &error);
  g_assert_no_error (error);
}

static inline void
assert_commit_fails (DsqTransaction *transaction, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (dsq_transaction_commit (transaction, NULL, &error));
  g_assert_error (error, DSQ_ERROR, code);
}

static inline void
set (gpointer store, const char *key, const char *value)
{
  g_autoptr (GError) error = NULL;

  dsq_store_set_string (store, key, value, NULL, &error);
  g_assert_no_error (error);
}

static inline void
remove_key (gpointer store, const char *key)
{
  g_autoptr (GError) error = NULL;

  dsq_store_remove (store, key, NULL, &error);
  g_assert_no_error (error);
}

/* NULL: it is missing. */
static inline void
assert_value (gpointer store, const char *key, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *value = dsq_store_get_string (store, key, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (value, ==, expected);
}

static inline void
assert_count (gpointer store, gint64 expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, expected);
  g_assert_no_error (error);
}

static inline void
assert_closed (gpointer store)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dsq_store_get_string (store, "a", NULL, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);
  dsq_store_set_string (store, "a", "x", NULL, &error);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, -1);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

/* The next key of a walk, or NULL at its end. */
static inline char *
next_key (DsqCursor *cursor, GError **error)
{
  g_autoptr (GVariant) found = dsq_cursor_next_many (cursor, 1, NULL, error);
  char *key = NULL;

  if (found != NULL && g_variant_n_children (found) == 1)
    g_variant_get_child (found, 0, "(smv)", &key, NULL);
  return key;
}

/* The keys of a walk, each followed by a space. */
static inline char *
read_walk (DsqCursor *cursor)
{
  g_autoptr (GError) error = NULL;
  GString *keys = g_string_new (NULL);
  char *key;

  while ((key = next_key (cursor, &error)) != NULL)
    {
      g_string_append_printf (keys, "%s ", key);
      g_free (key);
    }
  g_assert_no_error (error);
  return g_string_free (keys, FALSE);
}

static inline void
assert_keys (gpointer store, const char *forward, const char *reverse)
{
  for (guint order = DSQ_WALK_FORWARD; order <= DSQ_WALK_REVERSE; order++)
    {
      g_autoptr (DsqCursor) cursor = dsq_store_walk (store, order);
      g_autofree char *keys = read_walk (cursor);

      g_assert_cmpstr (keys, ==, order == DSQ_WALK_FORWARD ? forward : reverse);
    }
}

static inline DsqStore *
get_table (gpointer store, const char *name)
{
  g_autoptr (GError) error = NULL;
  DsqStore *table = dsq_store_get_table (store, name, NULL, &error);

  g_assert_no_error (error);
  return table;
}

#define ADD(name, function)                                                                        \
  do                                                                                               \
    {                                                                                              \
      g_test_add ("/" name "/memory",                                                              \
                  Fixture,                                                                         \
                  GINT_TO_POINTER (DSQ_PERSIST_MEMORY),                                            \
                  set_up,                                                                          \
                  function,                                                                        \
                  tear_down);                                                                      \
      g_test_add ("/" name "/lazy",                                                                \
                  Fixture,                                                                         \
                  GINT_TO_POINTER (DSQ_PERSIST_LAZY),                                              \
                  set_up,                                                                          \
                  function,                                                                        \
                  tear_down);                                                                      \
      g_test_add ("/" name "/writethrough",                                                        \
                  Fixture,                                                                         \
                  GINT_TO_POINTER (DSQ_PERSIST_WRITETHROUGH),                                      \
                  set_up,                                                                          \
                  function,                                                                        \
                  tear_down);                                                                      \
    }                                                                                              \
  while (0)
