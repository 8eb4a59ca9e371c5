/* test-threads.c - eight threads on one store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "folder-support.h"
#include "read-number.h"

#define N_THREADS 8

typedef struct
{
  DsqStore *store; /* (unowned) */
  guint number;
  guint n_rounds;
  guint n_inserted; /* keys that this thread was the one to insert */
  guint n_stolen;
} Worker;

typedef struct
{
  char *folder;    /* (owned) */
  DsqStore *store; /* (owned) */
} Fixture;

static DsqStore *
open_store (const char *folder, DsqPersistMode mode, DsqDurability durability)
{
  return OPEN_IN (folder,
                  "persist-mode",
                  mode,
                  "durability",
                  durability,
                  "hot-capacity",
                  (guint64) 7,
                  "flush-interval",
                  3u);
}

/* Each thread has keys of its own, on which it must always read what it wrote last. */
static void
work_on_own_keys (Worker *self, guint round)
{
  g_autofree char *key = g_strdup_printf ("own %u %u", self->number, round % 11);
  g_autoptr (GError) error = NULL;
  gint64 value = 0;

  g_assert_true (dsq_store_set (self->store, key, g_variant_new_int64 (round), NULL, &error));
  g_assert_no_error (error);
  g_assert_true (read_number (self->store, key, &value, &error));
  g_assert_no_error (error);
  g_assert_cmpint (value, ==, round);
  if (round % 5 == 0)
    {
      g_assert_true (dsq_store_remove (self->store, key, NULL, &error));
      g_assert_false (dsq_store_contains (self->store, key, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (dsq_store_set (self->store, key, g_variant_new_int64 (round), NULL, &error));
    }
}

/* All threads compete for these: each is inserted by one and stolen by one. */
static void
work_on_shared_keys (Worker *self, guint round)
{
  g_autofree char *key = g_strdup_printf ("shared %u", round);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) stolen = NULL;

  self->n_inserted += dsq_store_compare_and_set (self->store,
                                                 key,
                                                 NULL,
                                                 g_variant_new_uint32 (self->number),
                                                 NULL,
                                                 &error);
  g_assert_no_error (error);
  if (round % 2 == 0)
    return;
  stolen = dsq_store_steal (self->store, key, NULL, &error);
  g_assert_no_error (error);
  self->n_stolen += stolen != NULL;
  if (stolen != NULL)
    g_assert_true (g_variant_is_of_type (stolen, G_VARIANT_TYPE_UINT32));
}

static void
work_on_many (Worker *self, guint round)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqCursor) cursor = NULL;
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  gint64 a = 0;
  gint64 b = 0;
  gsize n_given;

  /* a pair is only ever seen whole: the second is read first, and never behind */
  g_variant_builder_add (&builder, "{sv}", "pair a", g_variant_new_int64 (round));
  g_variant_builder_add (&builder, "{sv}", "pair b", g_variant_new_int64 (round));
  g_assert_true (dsq_store_set_many (self->store, g_variant_builder_end (&builder), NULL, &error));
  g_assert_no_error (error);
  g_assert_true (read_number (self->store, "pair a", &a, &error));
  g_assert_true (read_number (self->store, "pair b", &b, &error));
  g_assert_cmpint (dsq_store_count (self->store, NULL, &error), >, 0);
  g_assert_no_error (error);

  cursor = dsq_store_walk (self->store, round % 2);
  do
    {
      g_autoptr (GVariant) page = dsq_cursor_next_many (cursor, 64, NULL, &error);

      g_assert_no_error (error);
      n_given = g_variant_n_children (page);
    }
  while (n_given > 0);
}

static gpointer
worker_thread (gpointer data)
{
  Worker *self = data;

  for (guint round = 0; round < self->n_rounds; round++)
    {
      work_on_own_keys (self, round);
      work_on_shared_keys (self, round);
      if (round % 64 == self->number * 8)
        work_on_many (self, round);
      if (round % 100 == 50 && self->number == 0)
        g_assert_true (dsq_store_flush (self->store, NULL, NULL));
    }
  return NULL;
}

static void
hammer (DsqPersistMode mode, DsqDurability durability, guint n_rounds)
{
  char *folder = make_folder ();
  g_autoptr (DsqStore) store = open_store (folder, mode, durability);
  Worker workers[N_THREADS] = { 0 };
  GThread *threads[N_THREADS];
  guint n_inserted = 0;
  guint n_stolen = 0;
  gint64 n_expected = (gint64) N_THREADS * 11 + 2;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < N_THREADS; i++)
    {
      workers[i] = (Worker){ store, i, n_rounds, 0, 0 };
      threads[i] = g_thread_new ("worker", worker_thread, &workers[i]);
    }
  for (guint i = 0; i < N_THREADS; i++)
    {
      g_thread_join (threads[i]);
      n_inserted += workers[i].n_inserted;
      n_stolen += workers[i].n_stolen;
    }
  n_expected += (gint64) n_inserted - n_stolen;
  /* an even key is inserted once; an odd one as often as it is stolen */
  g_assert_cmpint ((gint64) n_inserted - n_stolen, ==, n_rounds / 2);
  g_assert_cmpint (dsq_store_count (store, NULL, &error), ==, n_expected);
  g_assert_no_error (error);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);

  if (mode != DSQ_PERSIST_MEMORY)
    {
      g_autoptr (DsqStore) again = open_store (folder, mode, durability);

      g_assert_cmpint (dsq_store_count (again, NULL, &error), ==, n_expected);
      for (guint i = 0; i < N_THREADS * 11; i++)
        {
          g_autofree char *key = g_strdup_printf ("own %u %u", i / 11, i % 11);
          gint64 value = 0;

          g_assert_true (read_number (again, key, &value, &error));
          g_assert_cmpint (value, ==, n_rounds - 1 - (n_rounds - 1 - i % 11) % 11);
        }
      g_assert_true (dsq_store_close (again, NULL, &error));
    }
  remove_folder (folder);
}

static void
test_memory (void)
{
  hammer (DSQ_PERSIST_MEMORY, DSQ_DURABILITY_NORMAL, 2000);
}

static void
test_lazy (void)
{
  hammer (DSQ_PERSIST_LAZY, DSQ_DURABILITY_NORMAL, 2000);
}

static void
test_writethrough (void)
{
  hammer (DSQ_PERSIST_WRITETHROUGH, DSQ_DURABILITY_NORMAL, 300);
}

static void
test_writethrough_full (void)
{
  hammer (DSQ_PERSIST_WRITETHROUGH, DSQ_DURABILITY_FULL, 100);
}

/* Closing while others are at work: each call either works or says that the store is closed. */
static gpointer
late_thread (gpointer data)
{
  Worker *self = data;
  g_autoptr (GError) error = NULL;

  for (guint round = 0; error == NULL; round++)
    {
      g_autofree char *key = g_strdup_printf ("%u", round % 100);

      if (round % 3 == 0)
        dsq_store_set (self->store, key, g_variant_new_int64 (round), NULL, &error);
      else if (round % 3 == 1)
        dsq_store_contains (self->store, key, NULL, &error);
      else
        dsq_store_count (self->store, NULL, &error);
    }
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  return NULL;
}

static void
test_close_beside_calls (void)
{
  for (guint round = 0; round < 20; round++)
    {
      char *folder = make_folder ();
      g_autoptr (DsqStore) store = open_store (folder, round % 3, DSQ_DURABILITY_NORMAL);
      Worker worker = { .store = store };
      GThread *threads[N_THREADS];
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i < N_THREADS; i++)
        threads[i] = g_thread_new ("late", late_thread, &worker);
      g_usleep (2000 * (round % 5));
      g_assert_true (dsq_store_close (store, NULL, &error));
      g_assert_no_error (error);
      for (guint i = 0; i < N_THREADS; i++)
        g_thread_join (threads[i]);
      remove_folder (folder);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dsq/threads/memory", test_memory);
  g_test_add_func ("/dsq/threads/lazy", test_lazy);
  g_test_add_func ("/dsq/threads/writethrough", test_writethrough);
  g_test_add_func ("/dsq/threads/writethrough-full", test_writethrough_full);
  g_test_add_func ("/dsq/threads/close-beside-calls", test_close_beside_calls);
  return g_test_run ();
}
