/* test-range.c - keys by their prefix, beside those who write, flush and clear
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "folder-support.h"

#define N_STABLE 300
#define N_MOVING 2000

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) */
  int is_over;     /* (atomic) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer mode)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;

  fixture->folder = make_folder ();
  path = g_build_filename (fixture->folder, "store", NULL);
  fixture->store = g_object_new (DSQ_TYPE_STORE,
                                 "path",
                                 GPOINTER_TO_INT (mode) == DSQ_PERSIST_MEMORY ? ":memory:" : path,
                                 "persist-mode",
                                 GPOINTER_TO_INT (mode),
                                 "flush-interval",
                                 1,
                                 "hot-capacity",
                                 (guint64) 1100,
                                 "dirty-limit",
                                 (guint64) 200000,
                                 NULL);
  g_initable_init (G_INITABLE (fixture->store), NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_object (&fixture->store);
  remove_folder (fixture->folder);
}

static void
set (DsqStore *store, const char *key, gint64 value)
{
  g_autoptr (GError) error = NULL;

  dsq_store_set (store, key, g_variant_new_int64 (value), NULL, &error);
  g_assert_no_error (error);
}

/* Appends the keys of a pack: their number, their lengths, their bytes. */
static guint
append_keys (const guint8 *pack, gsize length, GPtrArray *keys)
{
  guint32 numbers[1 + 2 * N_MOVING] = { 0 };
  const char *bytes;

  g_assert_cmpuint (length, >=, sizeof *numbers);
  memcpy (numbers, pack, MIN (length, sizeof numbers));
  bytes = (const char *) pack + (1 + numbers[0]) * sizeof *numbers;
  for (guint i = 1; i <= numbers[0]; i++)
    {
      g_ptr_array_add (keys, g_strndup (bytes, numbers[i]));
      bytes += numbers[i];
    }
  g_assert_true (bytes == (const char *) pack + length);
  return numbers[0];
}

static GPtrArray *
list (DsqStore *store, const char *prefix, guint page)
{
  GPtrArray *keys = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *from = NULL;
  gsize from_length = 0;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      g_autofree guint8 *pack = NULL;
      gsize length;
      guint n_keys;

      pack = dsq_store_list_keys_pack (store,
                                       (const guint8 *) prefix,
                                       strlen (prefix),
                                       (const guint8 *) from,
                                       from_length,
                                       page,
                                       FALSE,
                                       &length,
                                       &error);
      g_assert_no_error (error);
      n_keys = append_keys (pack, length, keys);
      g_assert_cmpuint (n_keys, <=, page);
      if (n_keys == 0)
        return keys;
      g_free (from);
      from = g_strdup (keys->pdata[keys->len - 1]);
      from_length = strlen (from) + 1;
    }
}

static gpointer
write_in_thread (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  while (!__atomic_load_n (&fixture->is_over, __ATOMIC_RELAXED))
    {
      g_autofree char *key =
          g_strdup_printf ("key %d", g_rand_int_range (random, 1000, 1000 + N_MOVING));

      if (g_rand_boolean (random))
        set (fixture->store, key, 1);
      else
        dsq_store_remove (fixture->store, key, NULL, NULL);
    }
  return NULL;
}

static gpointer
flush_in_thread (gpointer data)
{
  Fixture *fixture = data;
  g_autoptr (GError) error = NULL;

  while (!__atomic_load_n (&fixture->is_over, __ATOMIC_RELAXED))
    {
      dsq_store_flush (fixture->store, NULL, &error);
      g_assert_no_error (error);
    }
  return NULL;
}

/* Each listing is in order, without doubles, and has what was there all the time. */
static void
test_lists_beside_writers (Fixture *fixture, gconstpointer mode)
{
  GThread *threads[2];

  for (guint i = 0; i < N_STABLE; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u stays", 1000 + i * 5);

      set (fixture->store, key, i);
    }
  threads[0] = g_thread_new ("write", write_in_thread, fixture);
  threads[1] = g_thread_new ("flush", flush_in_thread, fixture);
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (GPtrArray) keys = list (fixture->store, "key ", i % 3 == 0 ? 100000 : 50 + i % 60);
      guint n_stable = 0;

      for (guint k = 0; k < keys->len; k++)
        {
          n_stable += g_str_has_suffix (keys->pdata[k], " stays");
          if (k > 0)
            g_assert_cmpstr (keys->pdata[k - 1], <, keys->pdata[k]);
        }
      g_assert_cmpuint (n_stable, ==, N_STABLE);
    }
  __atomic_store_n (&fixture->is_over, TRUE, __ATOMIC_RELAXED);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* The first of many, again and again, while what came before it has gone. */
static void
test_is_a_queue_by_key (Fixture *fixture, gconstpointer mode)
{
  for (guint i = 0; i < 500; i++)
    {
      g_autofree char *key = g_strdup_printf ("job %03u", i * 7 % 500);

      set (fixture->store, key, i);
    }
  dsq_store_flush (fixture->store, NULL, NULL);
  for (guint i = 0; i < 500; i++)
    {
      g_autofree char *key = g_strdup_printf ("job %03u", i);
      g_autofree guint8 *pack = NULL;
      gsize length;

      if (i == 250)
        dsq_store_flush (fixture->store, NULL, NULL);
      pack = dsq_store_list_keys_pack (fixture->store,
                                       (const guint8 *) "job ",
                                       4,
                                       NULL,
                                       0,
                                       1,
                                       FALSE,
                                       &length,
                                       NULL);
      g_assert_cmpmem (pack + 8, length - 8, key, strlen (key));
      g_assert_true (dsq_store_remove (fixture->store, key, NULL, NULL));
    }
}

/* What is gone, by a clear or with its table, is not listed, nor is what another table holds. */
static void
test_forgets_with_the_table (Fixture *fixture, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table =
      dsq_store_get_table_utf8 (fixture->store, (const guint8 *) "table", 5, &error);

  g_assert_no_error (error);
  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (GPtrArray) of_store = NULL;
      g_autoptr (GPtrArray) of_table = NULL;
      g_autoptr (GPtrArray) of_nothing = NULL;

      set (fixture->store, "a1", 1);
      set (fixture->store, "a2", 1);
      set (table, "a3", 1);
      of_store = list (fixture->store, "a", 1);
      of_table = list (table, "a", 1);
      g_assert_cmpuint (of_store->len, ==, 2);
      g_assert_cmpuint (of_table->len, ==, 1);
      dsq_store_clear (fixture->store, NULL, &error);
      g_assert_no_error (error);
      of_nothing = list (fixture->store, "a", 1);
      g_assert_cmpuint (of_nothing->len, ==, 0);
      if (round == 1)
        dsq_store_flush (fixture->store, NULL, NULL);
    }
  g_assert_true (dsq_store_drop_table (fixture->store, "table", NULL, &error));
  g_assert_null (
      dsq_store_list_keys_pack (table, NULL, 0, NULL, 0, 1, TRUE, &(gsize){ 0 }, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NO_TABLE);
}

/* As texts where none has a byte 0, and as lengths and bytes where one has. */
static void
test_lists_texts (Fixture *fixture, gconstpointer mode)
{
  static const guint8 with_nul[] = "b\0c";
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *texts = NULL;
  g_autofree guint8 *others = NULL;
  g_autofree guint8 *same = NULL;
  g_autofree guint8 *nothing = NULL;
  guint32 head[3] = { 0 };
  gsize length, same_length;

  set (fixture->store, "c", 1);
  set (fixture->store, "bb", 1);
  texts = dsq_store_list_keys_pack (fixture->store, NULL, 0, NULL, 0, 9, TRUE, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, sizeof head + 4);
  memcpy (head, texts, sizeof head);
  g_assert_cmpuint (head[0], ==, G_MAXUINT32);
  g_assert_cmpuint (head[1], ==, 2);
  g_assert_cmpuint (head[2], ==, 1);
  g_assert_cmpmem (texts + sizeof head, length - sizeof head, "bb\0c", 4);

  dsq_store_set_record (fixture->store, with_nul, 3, (const guint8 *) "\1", 1, &error);
  g_assert_no_error (error);
  others = dsq_store_list_keys_pack (fixture->store, NULL, 0, NULL, 0, 9, TRUE, &length, &error);
  g_assert_no_error (error);
  same =
      dsq_store_list_keys_pack (fixture->store, NULL, 0, NULL, 0, 9, FALSE, &same_length, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (others, length, same, same_length);
  g_assert_cmpuint (others[0], ==, 3);

  nothing = dsq_store_list_keys_pack (fixture->store,
                                      (const guint8 *) "d",
                                      1,
                                      NULL,
                                      0,
                                      9,
                                      TRUE,
                                      &length,
                                      &error);
  g_assert_no_error (error);
  g_assert_cmpmem (nothing, length, "\0\0\0", 4);
}

#define HOUR (3600 * 1000)

/* The keys of one page are as many as were asked for, if there are so many. */
static void
assert_page (DsqStore *store, guint page, guint n_keys)
{
  g_autoptr (GPtrArray) all = list (store, "key ", page);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) keys = dsq_store_list_keys (store, "key ", NULL, page, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (all->len, ==, n_keys);
  g_assert_cmpuint (g_strv_length (keys), ==, MIN (page, n_keys));
  for (guint i = 0; keys[i] != NULL; i++)
    g_assert_cmpstr (keys[i], ==, all->pdata[i]);
}

#define HOUR (3600 * 1000)

/* What has expired is left where it is by a store that only reads, and yet makes no page shorter,
 * neither of its own nor of a transaction over it. */
static void
test_lists_around_what_has_expired (Fixture *fixture, gconstpointer mode)
{
  g_autofree char *path = g_build_filename (fixture->folder, "store", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) reader = NULL;
  g_autoptr (DsqTransaction) transaction = NULL;

  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %02u", i);

      set (fixture->store, key, i);
      if (i % 4 == 0 || (i >= 20 && i < 30))
        g_assert_true (dsq_store_touch (fixture->store, key, HOUR, NULL, &error));
    }
  g_clear_object (&fixture->store);
  reader = g_initable_new (DSQ_TYPE_STORE, NULL, &error, "path", path, "read-only", TRUE, NULL);
  g_object_set (reader, "clock-offset", (gint64) 2 * HOUR, NULL);
  transaction = dsq_store_begin (reader, &error);
  g_assert_no_error (error);
  for (guint page = 1; page < 40; page += 3)
    {
      assert_page (reader, page, 23);
      assert_page (DSQ_STORE (transaction), page, 23);
    }
}

static void
add (const char *path, DsqPersistMode mode, void (*function) (Fixture *fixture, gconstpointer mode))
{
  g_test_add (path, Fixture, GINT_TO_POINTER (mode), set_up, function, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/dsq/range/memory/beside-writers", DSQ_PERSIST_MEMORY, test_lists_beside_writers);
  add ("/dsq/range/lazy/beside-writers", DSQ_PERSIST_LAZY, test_lists_beside_writers);
  add ("/dsq/range/writethrough/beside-writers",
       DSQ_PERSIST_WRITETHROUGH,
       test_lists_beside_writers);
  add ("/dsq/range/memory/queue", DSQ_PERSIST_MEMORY, test_is_a_queue_by_key);
  add ("/dsq/range/lazy/queue", DSQ_PERSIST_LAZY, test_is_a_queue_by_key);
  add ("/dsq/range/memory/tables", DSQ_PERSIST_MEMORY, test_forgets_with_the_table);
  add ("/dsq/range/lazy/tables", DSQ_PERSIST_LAZY, test_forgets_with_the_table);
  add ("/dsq/range/memory/texts", DSQ_PERSIST_MEMORY, test_lists_texts);
  add ("/dsq/range/writethrough/texts", DSQ_PERSIST_WRITETHROUGH, test_lists_texts);
  add ("/dsq/range/lazy/around-what-has-expired",
       DSQ_PERSIST_LAZY,
       test_lists_around_what_has_expired);
  return g_test_run ();
}
