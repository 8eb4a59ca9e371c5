/* test-key-list.c - a store's entries as a list, at the edges of its pages
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model-support.h"

/* As dsq-key-pages has them: rows of a page, keys of one reading, items that are kept or wait. */
#define PAGE_ROWS   256
#define MAX_READ    4096
#define MAX_ITEMS   4096
#define MAX_WAITING 1024

static void
fill (DsqStore *store, const char *prefix, guint n_keys)
{
  g_autoptr (GError) error = NULL;
  GVariantBuilder entries;

  g_variant_builder_init (&entries, G_VARIANT_TYPE ("a{sv}"));
  for (guint i = 0; i < n_keys; i++)
    {
      g_autofree char *key = g_strdup_printf ("%s/%06u", prefix, i);

      g_variant_builder_add (&entries, "{sv}", key, g_variant_new_uint32 (i));
    }
  g_assert_true (dsq_store_set_many (store, g_variant_builder_end (&entries), NULL, &error));
  g_assert_no_error (error);
}

static void
set_number (DsqStore *store, const char *key, guint value)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set (store, key, g_variant_new_uint32 (value), NULL, &error));
  g_assert_no_error (error);
}

/* What waits for the file is a part of its own: all is in the file. */
static void
flush (DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_flush (store, NULL, &error));
  g_assert_no_error (error);
}

static void
assert_true_by_key (Mirror *self, DsqStore *store)
{
  GPtrArray *all = read_truth (store);

  g_assert_true (is_view_of (self, all, NULL, TRUE));
  free_truth (all);
}

static void
assert_error (Mirror *self, int code)
{
  g_autoptr (GError) error = NULL;

  g_object_get (self->model, "error", &error, NULL);
  if (code == 0)
    g_assert_no_error (error);
  else
    g_assert_error (error, DSQ_ERROR, code);
}

/* --- prefixes --------------------------------------------------------------------------------- */

static void
count_notify (GObject *model, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
test_prefix_that_is_none (Fixture *self, gconstpointer mode)
{
  guint n_prefixes = 0, n_errors = 0;
  Mirror all;

  fill (self->store, "key", 10);
  set_number (self->store, "k", 1);
  mirror_init (&all, self->store, NULL, FALSE, TRUE);
  g_signal_connect (all.model, "notify::prefix", G_CALLBACK (count_notify), &n_prefixes);
  g_signal_connect (all.model, "notify::error", G_CALLBACK (count_notify), &n_errors);
  settle (all.model);
  g_object_set (all.model, "prefix", "", NULL);
  g_assert_cmpuint (n_prefixes, ==, 0);
  g_assert_cmpuint (all.items->len, ==, 11);

  g_object_set (all.model, "prefix", "\xff", NULL);
  settle (all.model);
  g_assert_cmpuint (n_errors, ==, 1);
  assert_error (&all, DSQ_ERROR_INVALID_KEY);
  g_assert_cmpuint (all.items->len, ==, 0);
  /* one that some keys are shorter than */
  g_object_set (all.model, "prefix", "key/", NULL);
  settle (all.model);
  g_assert_cmpuint (n_errors, ==, 2);
  assert_error (&all, 0);
  g_assert_true (is_true (&all, self->store, "key/"));
  g_assert_cmpuint (all.items->len, ==, 10);
  mirror_clear (&all);
}

/* More keys are passed than one page may stand for. */
static void
test_few_among_many (Fixture *self, gconstpointer mode)
{
  Mirror some;

  fill (self->store, "key", MAX_READ / 2 + 500);
  mirror_init (&some, self->store, "some/", FALSE, TRUE);
  settle (some.model);
  g_assert_cmpuint (some.items->len, ==, 0);
  set_number (self->store, "some/new", 1);
  settle (some.model);
  g_assert_true (is_true (&some, self->store, "some/"));
  g_assert_cmpuint (some.items->len, ==, 1);
  mirror_clear (&some);
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Before what a page says come more keys than are read at once. */
static void
test_much_comes_before (Fixture *self, gconstpointer mode)
{
  Mirror all;

  fill (self->store, "z", 10);
  mirror_init (&all, self->store, NULL, TRUE, TRUE);
  settle (all.model);
  assert_true_by_key (&all, self->store);
  fill (self->store, "a", MAX_READ + 200);
  settle (all.model);
  g_assert_cmpuint (all.n_removed, ==, 0);
  assert_true_by_key (&all, self->store);
  mirror_clear (&all);
}

typedef struct
{
  Mirror all;
  DsqStore *store;
  gboolean is_heard; /* another watch has told of the key as well */
} Emptied;

static void
hear (DsqWatch *watch, const char *const *keys, gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
}

/* While what is gone is told, one comes back. */
static void
put_one_back (GListModel *list, guint position, guint n_removed, guint n_added, Emptied *self)
{
  g_autoptr (DsqWatch) watch = NULL;

  if (n_removed == 0 || g_list_model_get_n_items (list) > 2 * PAGE_ROWS || self->is_heard)
    return;
  watch = dsq_store_watch (self->store, NULL, NULL);
  g_signal_connect (watch, "changed", G_CALLBACK (hear), &self->is_heard);
  set_number (self->store, "key/000599", 7);
  while (!self->is_heard)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_changes_as_it_empties (Fixture *self, gconstpointer mode)
{
  Emptied emptied = { .store = self->store };

  fill (self->store, "key", 600);
  mirror_init (&emptied.all, self->store, NULL, TRUE, TRUE);
  settle (emptied.all.model);
  g_signal_connect (emptied.all.model, "items-changed", G_CALLBACK (put_one_back), &emptied);
  for (guint i = 2 * PAGE_ROWS; i < 600; i++)
    {
      g_autofree char *key = g_strdup_printf ("key/%06u", i);

      g_assert_cmpint (dsq_store_remove (self->store, key, NULL, NULL), ==, DSQ_ANSWER_YES);
    }
  settle (emptied.all.model);
  g_assert_true (emptied.is_heard);
  g_assert_cmpuint (emptied.all.items->len, ==, 2 * PAGE_ROWS + 1);
  assert_true_by_key (&emptied.all, self->store);
  mirror_clear (&emptied.all);
}

/* A reading that ends where the keys do. */
static void
test_just_a_page (Fixture *self, gconstpointer mode)
{
  Mirror all;

  fill (self->store, "key", PAGE_ROWS);
  flush (self->store);
  mirror_init (&all, self->store, NULL, FALSE, TRUE);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, NULL));
  set_number (self->store, "new", 1);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, NULL));
  g_assert_cmpuint (all.items->len, ==, PAGE_ROWS + 1);
  mirror_clear (&all);
}

static char *own_path;

/* What another process does that is told to: by one commit. */
static int
put_two (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store = dsq_store_open (path, DSQ_PERSIST_WRITETHROUGH, NULL, &error);
  GVariantBuilder entries;

  g_assert_no_error (error);
  g_variant_builder_init (&entries, G_VARIANT_TYPE ("a{sv}"));
  g_variant_builder_add (&entries, "{sv}", "other", g_variant_new_uint32 (7));
  g_variant_builder_add (&entries, "{sv}", "settled/000001", g_variant_new_uint32 (7));
  g_assert_true (dsq_store_set_many (store, g_variant_builder_end (&entries), NULL, &error));
  g_assert_no_error (error);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  return 0;
}

static void
have_another_put (char *path)
{
  char *arguments[] = { own_path, (char *) "--put", path, NULL };
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL, arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
}

/* Until the model has it, of which nobody may have been told yet. */
static void
wait_for_length (Mirror *self, guint length)
{
  const gint64 until = g_get_monotonic_time () + SETTLED_US;

  while (self->items->len != length)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, until);
      settle (self->model);
      g_usleep (100);
    }
}

/* What waits for the file stands behind what others have put there meanwhile: @n_met of it were
 * met, before and behind which others are. */
static void
come_before (char *path, guint n_met)
{
  g_autoptr (GError) error = NULL;
  const guint n_keys = 4 * PAGE_ROWS + 8;
  DsqStore *store = g_initable_new (DSQ_TYPE_STORE,
                                    NULL,
                                    &error,
                                    "path",
                                    path,
                                    "persist-mode",
                                    DSQ_PERSIST_LAZY,
                                    "flush-interval",
                                    3600000u,
                                    NULL);
  Mirror all;

  g_assert_no_error (error);
  fill (store, "settled", 2 * PAGE_ROWS);
  flush (store);
  fill (store, "waits", n_keys - 2 * PAGE_ROWS);
  mirror_init (&all, store, NULL, FALSE, FALSE);
  settle (all.model);
  mirror_look (&all, n_met - 1);
  settle (all.model);
  mirror_look (&all, 1);
  mirror_look (&all, 2 * PAGE_ROWS + 1);
  settle (all.model);
  have_another_put (path);
  wait_for_length (&all, n_keys + 1);
  settle (all.model);
  mirror_look (&all, n_keys);
  settle (all.model);
  g_assert_true (is_true (&all, store, NULL));
  g_assert_true (shows (all.items->pdata[1], "settled/000001", 7));
  mirror_clear (&all);
  close_store (store);
}

static void
test_others_come_before (Fixture *self, gconstpointer mode)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *name = g_strdup_printf ("before-%u.db", i);
      g_autofree char *path = g_build_filename (self->folder, name, NULL);

      come_before (path, (i == 0 ? 4 : 3) * PAGE_ROWS + (i == 0 ? 8 : 0));
    }
}

/* --- items ------------------------------------------------------------------------------------ */

/* Each other one of so many that not all are kept. */
static void
test_looks_at_half (Fixture *self, gconstpointer mode)
{
  guint n_keys = 2 * MAX_ITEMS + 4 * PAGE_ROWS;
  Mirror all;

  fill (self->store, "key", n_keys);
  mirror_init (&all, self->store, NULL, FALSE, FALSE);
  settle (all.model);
  for (guint i = 0; i < n_keys; i += 2)
    {
      g_object_unref (g_list_model_get_item (G_LIST_MODEL (all.model), i));
      if (i % 2048 == 0)
        settle (all.model);
    }
  settle (all.model);
  g_assert_cmpuint (all.items->len, ==, n_keys);
  /* one that was let go of is read again */
  mirror_look (&all, 0);
  settle (all.model);
  g_assert_true (shows (all.items->pdata[0], "key/000000", 0));
  mirror_clear (&all);
}

/* More wait than are kept, and all are held: each stays what it is. */
static void
test_many_wait (Fixture *self, gconstpointer mode)
{
  guint n_looked = MAX_WAITING + 100;
  Mirror all;

  fill (self->store, "key", 3 * PAGE_ROWS + MAX_WAITING);
  mirror_init (&all, self->store, NULL, FALSE, FALSE);
  settle (all.model);
  /* such as nobody holds may go */
  for (guint i = 0; i < n_looked; i++)
    g_object_unref (g_list_model_get_item (G_LIST_MODEL (all.model), i));
  for (guint i = 0; i < n_looked; i++)
    mirror_look (&all, i);
  for (guint i = 0; i < n_looked; i++)
    g_assert_true (is_loading (all.items->pdata[i]));
  assert_identities (&all);
  settle (all.model);
  assert_identities (&all);
  g_assert_true (is_true (&all, self->store, NULL));
  mirror_clear (&all);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void
drop_model (GListModel *list, guint position, guint n_removed, guint n_added, gpointer user_data)
{
  g_object_run_dispose (G_OBJECT (list));
}

static void
test_dropped_as_it_tells_the_number (Fixture *self, gconstpointer mode)
{
  Mirror all;

  fill (self->store, "key", 100);
  mirror_init (&all, self->store, NULL, FALSE, TRUE);
  g_signal_connect (all.model, "items-changed", G_CALLBACK (drop_model), NULL);
  settle (all.model);
  g_assert_cmpuint (all.items->len, ==, 0);
  mirror_clear (&all);
}

/* In the child nothing is read any more, and what there was stays. */
static void
test_inherited (Fixture *self, gconstpointer mode)
{
  Mirror all;
  pid_t child;
  int status;

  fill (self->store, "key", 3 * PAGE_ROWS);
  mirror_init (&all, self->store, NULL, FALSE, FALSE);
  settle (all.model);
  mirror_look (&all, 0);
  settle (all.model);
  child = fork ();
  if (child == 0)
    {
      alarm (30);
      mirror_look (&all, 2 * PAGE_ROWS);
      settle (all.model);
      assert_error (&all, DSQ_ERROR_FORKED);
      g_assert_true (is_loading (all.items->pdata[2 * PAGE_ROWS]));
      g_assert_true (shows (all.items->pdata[0], "key/000000", 0));
      _exit (0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  mirror_look (&all, 2 * PAGE_ROWS);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, NULL));
  mirror_clear (&all);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*run) (Fixture *, gconstpointer);
  } tests[] = {
    { "prefix-that-is-none", test_prefix_that_is_none },
    { "few-among-many", test_few_among_many },
    { "much-comes-before", test_much_comes_before },
    { "changes-as-it-empties", test_changes_as_it_empties },
    { "just-a-page", test_just_a_page },
    { "looks-at-half", test_looks_at_half },
    { "many-wait", test_many_wait },
    { "dropped-as-it-tells-the-number", test_dropped_as_it_tells_the_number },
    { "inherited", test_inherited },
  };

  if (argc == 3 && g_str_equal (argv[1], "--put"))
    return put_two (argv[2]);
  own_path = argv[0];
  g_test_init (&argc, &argv, NULL);
  add ("key-list/others-come-before", DSQ_PERSIST_LAZY, test_others_come_before);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_LAZY; mode++)
    for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
      {
        g_autofree char *path = g_strconcat ("key-list/", tests[i].name, NULL);

        add (path, mode, tests[i].run);
      }
  return g_test_run ();
}
