/* test-async-order.c - calls that are not waited for come out in the order in which they began
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "async-support.h"

#define N_KEYS  6
#define N_CALLS 300

typedef enum
{
  CALL_SET,
  CALL_GET,
  CALL_REMOVE,
  CALL_CONTAINS,
  CALL_SET_MANY,
  CALL_COUNT,
  CALL_CLEAR,
  CALL_FLUSH,
  N_KINDS
} Kind;

/* A call under way, and what has to come of it: the value of a key, or a number. */
typedef struct
{
  guint *n_done; /* (unowned) */
  Kind kind;
  int value; /* -1: missing */
} Call;

static const char *const keys[N_KEYS] = { "a", "b", "c", "d", "e", "f" };

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  DsqStore *store = DSQ_STORE (source);
  g_autofree Call *call = user_data;
  g_autofree char *expected = g_strdup_printf ("%d", call->value);
  g_autofree char *string = NULL;
  g_autoptr (GError) error = NULL;

  switch (call->kind)
    {
    case CALL_GET:
      string = dsq_store_get_string_finish (store, result, &error);
      g_assert_cmpstr (string, ==, call->value < 0 ? NULL : expected);
      break;
    case CALL_REMOVE:
      g_assert_cmpint (dsq_store_remove_finish (store, result, &error), ==, call->value);
      break;
    case CALL_CONTAINS:
      g_assert_cmpint (dsq_store_contains_finish (store, result, &error), ==, call->value);
      break;
    case CALL_COUNT:
      g_assert_cmpint (dsq_store_count_finish (store, result, &error), ==, call->value);
      break;
    case CALL_SET:
      g_assert_true (dsq_store_set_string_finish (store, result, &error));
      break;
    case CALL_SET_MANY:
      g_assert_true (dsq_store_set_many_finish (store, result, &error));
      break;
    case CALL_CLEAR:
      g_assert_true (dsq_store_clear_finish (store, result, &error));
      break;
    default:
      g_assert_true (dsq_store_flush_finish (store, result, &error));
    }
  g_assert_no_error (error);
  ++*call->n_done;
}

static int
count (const int *model)
{
  int n = 0;

  for (guint i = 0; i < N_KEYS; i++)
    n += model[i] >= 0;
  return n;
}

static GVariant *
set_two (int *model, guint first, int value)
{
  g_autofree char *string = g_strdup_printf ("%d", value);
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  for (guint i = 0; i < 2; i++)
    {
      g_variant_dict_insert (&dict, keys[(first + i) % N_KEYS], "s", string);
      model[(first + i) % N_KEYS] = value;
    }
  return g_variant_dict_end (&dict);
}

static void
begin (DsqStore *store, GRand *rand, int *model, int value, guint *n_done)
{
  Call *call = g_new0 (Call, 1);
  guint at = (guint) g_rand_int_range (rand, 0, N_KEYS);
  g_autofree char *string = g_strdup_printf ("%d", value);

  *call = (Call){ n_done, (Kind) g_rand_int_range (rand, 0, N_KINDS), model[at] };
  switch (call->kind)
    {
    case CALL_SET:
      model[at] = value;
      dsq_store_set_string_async (store, keys[at], string, NULL, done_cb, call);
      break;
    case CALL_GET:
      dsq_store_get_string_async (store, keys[at], NULL, done_cb, call);
      break;
    case CALL_REMOVE:
      call->value = model[at] >= 0;
      model[at] = -1;
      dsq_store_remove_async (store, keys[at], NULL, done_cb, call);
      break;
    case CALL_CONTAINS:
      call->value = model[at] >= 0;
      dsq_store_contains_async (store, keys[at], NULL, done_cb, call);
      break;
    case CALL_SET_MANY:
      dsq_store_set_many_async (store, set_two (model, at, value), NULL, done_cb, call);
      break;
    case CALL_COUNT:
      call->value = count (model);
      dsq_store_count_async (store, NULL, done_cb, call);
      break;
    case CALL_CLEAR:
      for (guint i = 0; i < N_KEYS; i++)
        model[i] = -1;
      dsq_store_clear_async (store, NULL, done_cb, call);
      break;
    default:
      dsq_store_flush_async (store, NULL, done_cb, call);
    }
}

static void
test_programs (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  g_autoptr (GRand) rand = g_rand_new_with_seed (8);
  int model[N_KEYS] = { -1, -1, -1, -1, -1, -1 };
  guint n_done = 0;

  for (guint round = 0; round < 20; round++)
    {
      for (int i = 0; i < N_CALLS; i++)
        begin (self->store, rand, model, i, &n_done);
      while (n_done < N_CALLS)
        g_main_context_iteration (NULL, TRUE);
      n_done = 0;
      /* the next begins with nothing in memory */
      if (mode != DSQ_PERSIST_MEMORY)
        reopen (self, mode);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    add ("async-order/programs", mode, test_programs);
  return g_test_run ();
}
