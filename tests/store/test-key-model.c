/* test-key-model.c - a store's entries as a list: whether what it tells is what has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "model-support.h"

#define IS_SHORT (g_getenv ("DSQ_SHORT") != NULL)
#define N_ROUNDS (IS_SHORT ? 12u : g_getenv ("DSQ_LONG") != NULL ? 1500u : 60u)
#define N_KEYS   (IS_SHORT ? 700u : 3000u)
#define MANY     (IS_SHORT ? 1100u : 1500u)
#define N_MANY   (IS_SHORT ? 6000u : 15000u)

static char *own_path;

static void
set_number (DsqStore *store, const char *key, guint value)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_store_set (store, key, g_variant_new_uint32 (value), NULL, &error));
  g_assert_no_error (error);
}

static void
remove_key (DsqStore *store, const char *key)
{
  g_autoptr (GError) error = NULL;

  dsq_store_remove (store, key, NULL, &error);
  g_assert_no_error (error);
}

static void
fill (DsqStore *store, guint from, guint n_keys)
{
  g_autoptr (GError) error = NULL;
  GVariantBuilder entries;

  g_variant_builder_init (&entries, G_VARIANT_TYPE ("a{sv}"));
  for (guint i = from; i < from + n_keys; i++)
    {
      g_autofree char *key = g_strdup_printf ("%s/%06u", i % 7 == 0 ? "some" : "key", i);

      g_variant_builder_add (&entries, "{sv}", key, g_variant_new_uint32 (i));
    }
  g_assert_true (dsq_store_set_many (store, g_variant_builder_end (&entries), NULL, &error));
  g_assert_no_error (error);
}

/* --- random changes --------------------------------------------------------------------------- */

/* Of one that is there, mostly, or is new. */
static char *
random_key (GRand *rand)
{
  guint i = (guint) g_rand_int_range (rand, 0, (gint32) N_KEYS * 2);

  return g_strdup_printf ("%s/%06u", i % 7 == 0 ? "some" : "key", i);
}

static void
write_in_transaction (DsqStore *store, GRand *rand)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (store, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *key = random_key (rand);

      if (i % 2 == 0)
        remove_key (DSQ_STORE (transaction), key);
      set_number (DSQ_STORE (transaction), key, g_rand_int (rand));
    }
  dsq_transaction_commit (transaction, NULL, &error);
  g_clear_error (&error);
}

static void
change_something (DsqStore *store, GRand *rand)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *key = random_key (rand);
  gint32 what = g_rand_int_range (rand, 0, 1000);

  if (what < 450)
    set_number (store, key, g_rand_int (rand));
  else if (what < 800)
    remove_key (store, key);
  else if (what < 940)
    {
      /* it goes last */
      remove_key (store, key);
      set_number (store, key, g_rand_int (rand));
    }
  else if (what < 970)
    write_in_transaction (store, rand);
  else if (what < 990)
    g_assert_true (dsq_store_flush (store, NULL, &error));
  else if (what < 997)
    fill (store, (guint) g_rand_int_range (rand, 0, (gint32) N_KEYS), MANY);
  else
    {
      g_assert_true (dsq_store_clear (store, NULL, &error));
      fill (store, 0, MANY);
    }
  g_assert_no_error (error);
}

/* What another process does that is told to write. */
static int
write_at_random (const char *path, guint seed)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) store =
      dsq_store_open (path,
                      seed % 2 == 0 ? DSQ_PERSIST_WRITETHROUGH : DSQ_PERSIST_LAZY,
                      NULL,
                      &error);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  g_assert_no_error (error);
  for (guint i = 0; i < 40; i++)
    change_something (store, rand);
  g_assert_true (dsq_store_close (store, NULL, &error));
  g_assert_no_error (error);
  return 0;
}

static GPid other_pid; /* of the other process, or 0 */

static void
wait_for_another (void)
{
  g_autoptr (GError) error = NULL;
  int status = 0;
  pid_t ended;

  if (other_pid == 0)
    return;
  do
    ended = waitpid (other_pid, &status, 0);
  while (ended < 0 && errno == EINTR);
  g_assert_cmpint (ended, ==, other_pid);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
  g_spawn_close_pid (other_pid);
  other_pid = 0;
}

/* Not by GSubprocess: it starts a thread, whose locks the thread sanitizer does not see. */
static void
have_another_write (char *path, guint seed, gboolean waits)
{
  g_autofree char *number = g_strdup_printf ("%u", seed);
  g_autoptr (GError) error = NULL;
  char *arguments[] = { own_path, (char *) "--write", path, number, NULL };

  wait_for_another ();
  g_spawn_async (NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &other_pid, &error);
  g_assert_no_error (error);
  if (waits)
    wait_for_another ();
}

typedef struct
{
  const char *prefix; /* (nullable) */
  gboolean by_key;
  gboolean looks;
} View;

static const View views[] = {
  { NULL, FALSE, TRUE }, { NULL, FALSE, FALSE }, { "some/", FALSE, TRUE },
  { NULL, TRUE, TRUE },  { NULL, TRUE, FALSE },  { "some/", TRUE, TRUE },
};

static gboolean
are_true (Mirror *mirrors, DsqStore *store)
{
  GPtrArray *all;
  gboolean are = TRUE;

  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    settle (mirrors[i].model);
  all = read_truth (store);
  for (guint i = 0; i < G_N_ELEMENTS (views) && are; i++)
    are = is_view_of (&mirrors[i], all, views[i].prefix, views[i].by_key);
  free_truth (all);
  return are;
}

/* Others' commits take their time to be noticed; then each is. */
static void
wait_for_truth (Mirror *mirrors, DsqStore *store)
{
  gint64 deadline = g_get_monotonic_time () + 120 * G_TIME_SPAN_SECOND;

  while (!are_true (mirrors, store))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      g_usleep (1000);
    }
  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    assert_identities (&mirrors[i]);
}

/* One that does not look at all that comes looks at some. */
static void
look_around (Mirror *mirrors, GRand *rand)
{
  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    for (guint n = 0; n < 3 && !views[i].looks && mirrors[i].items->len > 0; n++)
      {
        guint at = (guint) g_rand_int_range (rand, 0, (gint32) mirrors[i].items->len);

        if (n == 0)
          g_clear_object (&mirrors[i].items->pdata[at]);
        else
          mirror_look (&mirrors[i], at / (n * n));
      }
}

static void
test_random (Fixture *self, gconstpointer mode)
{
  gboolean is_file = GPOINTER_TO_INT (mode) != DSQ_PERSIST_MEMORY;
  guint32 seed = g_test_rand_int ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  Mirror mirrors[G_N_ELEMENTS (views)];

  g_test_message ("seed %u", seed);
  fill (self->store, 0, N_KEYS);
  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    mirror_init (&mirrors[i], self->store, views[i].prefix, views[i].by_key, views[i].looks);
  wait_for_truth (mirrors, self->store);
  for (guint round = 0; round < N_ROUNDS; round++)
    {
      guint n_changes = (guint) g_rand_int_range (rand, 1, 30);
      gboolean has_other = is_file && round % 10 == 5;

      if (has_other)
        have_another_write (self->path, round, g_rand_boolean (rand));
      for (guint i = 0; i < n_changes; i++)
        {
          change_something (self->store, rand);
          if (g_rand_boolean (rand))
            g_main_context_iteration (NULL, FALSE);
        }
      look_around (mirrors, rand);
      wait_for_truth (mirrors, self->store);
    }
  wait_for_another ();
  wait_for_truth (mirrors, self->store);
  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    mirror_clear (&mirrors[i]);
}

/* --- one thing after another ------------------------------------------------------------------ */

static void
count_notify (GObject *item, GParamSpec *pspec, gpointer user_data)
{
  (*(guint *) user_data)++;
}

static void
test_each_change_is_told_alone (Fixture *self, gconstpointer mode)
{
  guint n_values = 0, n_keys = 0;
  Mirror all;

  fill (self->store, 0, 1000);
  mirror_init (&all, self->store, NULL, FALSE, TRUE);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, NULL));
  g_signal_connect (all.items->pdata[1], "notify::value", G_CALLBACK (count_notify), &n_values);
  g_signal_connect (all.items->pdata[1], "notify::key", G_CALLBACK (count_notify), &n_keys);

  all.n_told = all.n_removed = 0;
  set_number (self->store, "key/000001", 77);
  settle (all.model);
  g_assert_cmpuint (all.n_told, ==, 0);
  g_assert_cmpuint (n_values, ==, 1);
  set_number (self->store, "key/000001", 77);
  settle (all.model);
  g_assert_cmpuint (n_values, ==, 1);

  remove_key (self->store, "key/000500");
  settle (all.model);
  g_assert_cmpuint (all.n_told, ==, 1);
  g_assert_cmpuint (all.n_removed, ==, 1);
  set_number (self->store, "key/000500", 1);
  settle (all.model);
  g_assert_cmpuint (all.n_told, ==, 2);
  g_assert_true (shows (all.items->pdata[999], "key/000500", 1));

  /* so much that no keys are told: what is as it was stays */
  fill (self->store, 1000, MANY);
  settle (all.model);
  g_assert_cmpuint (all.n_removed, ==, 1);
  g_assert_true (is_true (&all, self->store, NULL));
  g_assert_cmpuint (n_keys, ==, 0);
  assert_identities (&all);
  mirror_clear (&all);
}

static void
note_dead (gpointer n_alive, GObject *item)
{
  (*(guint *) n_alive)--;
}

/* Looked at from the first to the last, and let go of: few are kept. */
static void
test_many_are_few_in_memory (Fixture *self, gconstpointer mode)
{
  guint n_alive = 0, n_most = 0;
  g_autoptr (DsqItem) last = NULL;
  g_autofree char *key = NULL;
  GListModel *list;
  Mirror all;

  for (guint i = 0; i < N_MANY; i += 3000)
    fill (self->store, i, MIN (3000, N_MANY - i));
  mirror_init (&all, self->store, NULL, FALSE, FALSE);
  list = G_LIST_MODEL (all.model);
  settle (all.model);
  g_assert_cmpuint (g_list_model_get_n_items (list), ==, N_MANY);
  g_assert_cmpuint (all.n_told, ==, 1);
  for (guint i = 0; i < N_MANY; i++)
    {
      g_autoptr (DsqItem) item = g_list_model_get_item (list, i);

      if (is_loading (item))
        {
          g_object_weak_ref (G_OBJECT (item), note_dead, &n_alive);
          n_alive++;
          n_most = MAX (n_most, n_alive);
        }
      if (i % 300 == 299)
        settle (all.model);
    }
  last = g_list_model_get_item (list, N_MANY - 1);
  settle (all.model);
  g_object_get (last, "key", &key, NULL);
  g_assert_true (g_str_has_suffix (key, IS_SHORT ? "/005999" : "/014999"));
  g_assert_cmpuint (n_most, <, 6000);
  g_assert_cmpuint (all.n_told, ==, 1);
  g_clear_object (&last);
  mirror_clear (&all);
  g_assert_cmpuint (n_alive, ==, 0);
}

static void
test_jumps (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqItem) item = NULL;
  Mirror all;

  for (guint i = 0; i < N_MANY; i += 3000)
    fill (self->store, i, MIN (3000, N_MANY - i));
  mirror_init (&all, self->store, NULL, TRUE, FALSE);
  settle (all.model);
  item = g_list_model_get_item (G_LIST_MODEL (all.model), N_MANY - 1);
  g_assert_true (is_loading (item));
  settle (all.model);
  g_assert_true (shows (item, IS_SHORT ? "some/005999" : "some/014994", IS_SHORT ? 5999 : 14994));
  remove_key (self->store, "key/000001");
  settle (all.model);
  g_assert_cmpuint (all.n_told, ==, 2);
  g_assert_cmpuint (all.items->len, ==, N_MANY - 1);
  mirror_clear (&all);
}

static void
test_prefix_changes (Fixture *self, gconstpointer mode)
{
  Mirror all;

  fill (self->store, 0, 1000);
  mirror_init (&all, self->store, NULL, FALSE, TRUE);
  settle (all.model);
  g_object_set (all.model, "prefix", "some/", NULL);
  g_assert_cmpuint (all.items->len, ==, 0);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, "some/"));
  g_object_set (all.model, "prefix", NULL, NULL);
  g_object_set (all.model, "prefix", "key/", NULL);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, "key/"));
  set_number (self->store, "some/new", 1);
  set_number (self->store, "key/new", 1);
  settle (all.model);
  g_assert_true (is_true (&all, self->store, "key/"));
  mirror_clear (&all);
}

static void
assert_error (Mirror *self, int code)
{
  g_autoptr (GError) error = NULL;

  g_object_get (self->model, "error", &error, NULL);
  g_assert_error (error, DSQ_ERROR, code);
}

static void
test_table_goes (Fixture *self, gconstpointer mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "table", NULL, &error);
  Mirror of_table, of_store;

  g_assert_no_error (error);
  fill (self->store, 0, 10);
  fill (table, 0, 1000);
  mirror_init (&of_store, self->store, NULL, FALSE, TRUE);
  mirror_init (&of_table, table, NULL, FALSE, TRUE);
  settle (of_store.model);
  settle (of_table.model);
  g_assert_true (is_true (&of_table, table, NULL));
  g_assert_cmpint (dsq_store_drop_table (self->store, "table", NULL, &error), ==, DSQ_ANSWER_YES);
  settle (of_table.model);
  settle (of_store.model);
  g_assert_cmpuint (of_table.items->len, ==, 0);
  assert_error (&of_table, DSQ_ERROR_NO_TABLE);
  g_assert_true (is_true (&of_store, self->store, NULL));
  mirror_clear (&of_table);
  mirror_clear (&of_store);
}

static void
test_store_closes (Fixture *self, gconstpointer mode)
{
  g_autoptr (DsqItem) item = NULL;
  Mirror all;

  fill (self->store, 0, 1000);
  mirror_init (&all, self->store, NULL, FALSE, FALSE);
  settle (all.model);
  mirror_look (&all, 2);
  settle (all.model);
  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  item = g_list_model_get_item (G_LIST_MODEL (all.model), 900);
  settle (all.model);
  g_assert_true (is_loading (item));
  assert_error (&all, DSQ_ERROR_CLOSED);
  g_assert_cmpuint (all.items->len, ==, 1000);
  g_assert_true (shows (all.items->pdata[2], "key/000002", 2));
  g_object_run_dispose (G_OBJECT (all.model));
  g_assert_cmpuint (all.items->len, ==, 0);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (all.model), 0));
  mirror_clear (&all);
}

/* Let go of in the middle of what it tells, and while it reads. */
static void
drop_model (GListModel *list, guint position, guint n_removed, guint n_added, Mirror *self)
{
  g_object_run_dispose (G_OBJECT (list));
}

static void
test_dropped_while_it_tells (Fixture *self, gconstpointer mode)
{
  Mirror all;

  fill (self->store, 0, 1000);
  mirror_init (&all, self->store, "some/", FALSE, TRUE);
  g_signal_connect (all.model, "items-changed", G_CALLBACK (drop_model), &all);
  settle (all.model);
  g_assert_cmpuint (all.items->len, ==, 0);
  mirror_clear (&all);
  mirror_init (&all, self->store, NULL, FALSE, TRUE);
  mirror_clear (&all);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
test_encrypted (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "store.db", NULL);
  g_autoptr (DsqStore) store = g_initable_new (DSQ_TYPE_STORE,
                                               NULL,
                                               &error,
                                               "path",
                                               path,
                                               "password",
                                               "p",
                                               "kdf-memory",
                                               (guint64) 19 << 20,
                                               NULL);
  Mirror all;

  g_assert_no_error (error);
  g_assert_null (dsq_key_model_new (store, NULL, TRUE, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_NOT_SUPPORTED);
  fill (store, 0, 1000);
  mirror_init (&all, store, "some/", FALSE, TRUE);
  settle (all.model);
  g_assert_true (is_true (&all, store, "some/"));
  mirror_clear (&all);
  g_assert_true (dsq_store_close (store, NULL, NULL));
  remove_folder (folder);
}

/* --- in a thread ------------------------------------------------------------------------------ */

static void
note_thread (GListModel *list, guint position, guint n_removed, guint n_added, gpointer thread)
{
  *(GThread **) thread = g_thread_self ();
}

static gpointer
list_in_thread (gpointer store)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (DsqKeyModel) model = NULL;
  GThread *told_in = NULL;

  g_main_context_push_thread_default (context);
  model = dsq_key_model_new (store, NULL, FALSE, NULL);
  g_signal_connect (model, "items-changed", G_CALLBACK (note_thread), &told_in);
  while (is_loading (model))
    g_main_context_iteration (context, TRUE);
  g_assert_true (told_in == g_thread_self ());
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (model)), ==, 100);
  g_clear_object (&model);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_in_its_context (Fixture *self, gconstpointer mode)
{
  fill (self->store, 0, 100);
  g_thread_join (g_thread_new ("list", list_in_thread, self->store));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*run) (Fixture *, gconstpointer);
  } tests[] = {
    { "random", test_random },
    { "each-change-is-told-alone", test_each_change_is_told_alone },
    { "many-are-few-in-memory", test_many_are_few_in_memory },
    { "jumps", test_jumps },
    { "prefix-changes", test_prefix_changes },
    { "table-goes", test_table_goes },
    { "store-closes", test_store_closes },
    { "dropped-while-it-tells", test_dropped_while_it_tells },
    { "in-its-context", test_in_its_context },
  };
  static const char *const mode_names[] = { "memory", "lazy", "writethrough" };

  if (argc == 4 && g_str_equal (argv[1], "--write"))
    return write_at_random (argv[2], (guint) atoi (argv[3]));
  own_path = argv[0];
  g_test_init (&argc, &argv, NULL);
  for (guint mode = 0; mode < G_N_ELEMENTS (mode_names); mode++)
    for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
      {
        g_autofree char *path =
            g_strdup_printf ("/dsq/model/%s/%s", mode_names[mode], tests[i].name);

        g_test_add (path, Fixture, GUINT_TO_POINTER (mode), set_up, tests[i].run, tear_down);
      }
  g_test_add_func ("/dsq/model/encrypted", test_encrypted);
  return g_test_run ();
}
