/* worker.c - a thread that changes keys of its own by all verbs, and what must be left of that
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a call does depends on its number, its worker's seed and what the keys hold, and on nothing
 * else: so whoever comes later can tell what each call has made of them.
 */

#include "worker.h"

#include <string.h>

#define HOUR       3600000
#define N_IN_TABLE 2
#define FIRST      (WORKER_N_KEYS - N_IN_TABLE) /* of these */
#define LARGE      30000                        /* bytes of a value beside the number */
#define MARK       "mark of worker %u"
#define A_LOG      1000 /* calls, after which another one may begin */

typedef struct
{
  Worker *worker;     /* (unowned) */
  DsqStore *store;    /* (unowned) (nullable) only the state is changed */
  WorkerState *state; /* (unowned) what the keys hold, and then will hold */
  guint a, b;         /* different keys that are in no table, and not the first, which counts */
  guint in_table;
  gint64 value;
  guint64 number;
} Call;

static char *
key_of (const Worker *self, guint key)
{
  return g_strdup_printf ("worker %u key %u", self->number, key);
}

static DsqStore *
open_table (const Worker *self, DsqStore *store, GError **error)
{
  g_autofree char *name = g_strdup_printf ("table %u", self->number);

  return dsq_store_get_table (store, name, NULL, error);
}

/* --- the verbs -------------------------------------------------------------------------------- */

/* Of a call that gives @expected unless it fails, with @error. */
static gboolean
is_answer (DsqAnswer answer, gboolean expected, GError **error)
{
  if (*error == NULL)
    g_assert_cmpint (answer, ==, expected ? DSQ_ANSWER_YES : DSQ_ANSWER_NO);
  return *error == NULL;
}

#define KEY(name, key) g_autofree char *name = key_of (call->worker, key)

static gboolean
set (Call *call, GError **error)
{
  KEY (a, call->a);

  call->state->values[call->a] = call->value;
  return call->store == NULL ||
         dsq_store_set (call->store, a, g_variant_new_int64 (call->value), NULL, error);
}

/* A number in the midst of bytes that take pages of their own. */
static gboolean
set_large (Call *call, GError **error)
{
  KEY (a, call->a);
  g_autofree char *text = NULL;

  call->state->values[call->a] = call->value;
  if (call->store == NULL)
    return TRUE;
  text = g_strdup_printf ("%" G_GINT64_FORMAT "%*s", call->value, LARGE, "");
  return dsq_store_set_string (call->store, a, text, NULL, error);
}

static gboolean
remove_key (Call *call, GError **error)
{
  const gboolean is_there = call->state->values[call->a] != 0;
  KEY (a, call->a);

  call->state->values[call->a] = 0;
  return call->store == NULL ||
         is_answer (dsq_store_remove (call->store, a, NULL, error), is_there, error);
}

static gboolean
increment (Call *call, GError **error)
{
  KEY (counter, 0);
  gint64 sum = 0;

  call->state->values[0] += call->value;
  if (call->store == NULL)
    return TRUE;
  if (!dsq_store_increment (call->store, counter, call->value, 0, &sum, NULL, error))
    return FALSE;
  g_assert_cmpint (sum, ==, call->state->values[0]);
  return TRUE;
}

static gboolean
compare_and_set (Call *call, GError **error)
{
  const gint64 before = call->state->values[0];
  KEY (counter, 0);

  call->state->values[0] = call->value;
  return call->store == NULL ||
         is_answer (dsq_store_compare_and_set (call->store,
                                               counter,
                                               before != 0 ? g_variant_new_int64 (before) : NULL,
                                               g_variant_new_int64 (call->value),
                                               NULL,
                                               error),
                    TRUE,
                    error);
}

static gboolean
set_many (Call *call, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  KEY (a, call->a);
  KEY (b, call->b);

  call->state->values[call->a] = call->value;
  call->state->values[call->b] = -call->value;
  g_variant_builder_add (&builder, "{sv}", a, g_variant_new_int64 (call->value));
  g_variant_builder_add (&builder, "{sv}", b, g_variant_new_int64 (-call->value));
  return call->store == NULL ||
         dsq_store_set_many (call->store, g_variant_builder_end (&builder), NULL, error);
}

static gboolean
apply (Call *call, GError **error)
{
  g_auto (GVariantBuilder) expected = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));
  g_auto (GVariantBuilder) changes = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));
  KEY (a, call->a);
  KEY (b, call->b);

  call->state->values[call->a] = 0;
  call->state->values[call->b] = call->value;
  g_variant_builder_add (&changes, "{smv}", a, NULL);
  g_variant_builder_add (&changes, "{smv}", b, g_variant_new_int64 (call->value));
  return call->store == NULL || is_answer (dsq_store_apply (call->store,
                                                            g_variant_builder_end (&expected),
                                                            g_variant_builder_end (&changes),
                                                            NULL,
                                                            error),
                                           TRUE,
                                           error);
}

static gboolean
steal (Call *call, GError **error)
{
  const gboolean is_there = call->state->values[call->a] != 0;
  KEY (a, call->a);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) problem = NULL;

  call->state->values[call->a] = 0;
  if (call->store == NULL)
    return TRUE;
  value = dsq_store_steal (call->store, a, NULL, &problem);
  if (problem != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  g_assert_true ((value != NULL) == is_there);
  return TRUE;
}

static gboolean
set_expiring (Call *call, GError **error)
{
  KEY (a, call->a);

  call->state->values[call->a] = call->value;
  return call->store == NULL || dsq_store_set_expiring (call->store,
                                                        a,
                                                        g_variant_new_int64 (call->value),
                                                        HOUR,
                                                        NULL,
                                                        error);
}

static gboolean
touch_over (Call *call, GError **error)
{
  const gboolean is_there = call->state->values[call->b] != 0;
  KEY (b, call->b);

  call->state->values[call->b] = 0;
  return call->store == NULL ||
         is_answer (dsq_store_touch (call->store, b, 0, NULL, error), is_there, error);
}

static gboolean
transact (Call *call, GError **error)
{
  g_autoptr (DsqTransaction) transaction = NULL;
  g_autoptr (DsqStore) table = NULL;
  KEY (a, call->a);
  KEY (in_table, call->in_table);

  call->state->values[call->a] = call->value;
  call->state->values[call->in_table] = call->value;
  if (call->store == NULL)
    return TRUE;
  transaction = dsq_store_begin (call->store, error);
  if (transaction == NULL)
    return FALSE;
  table = open_table (call->worker, DSQ_STORE (transaction), error);
  return table != NULL &&
         dsq_store_set (DSQ_STORE (transaction),
                        a,
                        g_variant_new_int64 (call->value),
                        NULL,
                        error) &&
         dsq_store_set (table, in_table, g_variant_new_int64 (call->value), NULL, error) &&
         dsq_transaction_commit (transaction, NULL, error);
}

static gboolean
set_in_table (Call *call, GError **error)
{
  g_autoptr (DsqStore) table = NULL;
  KEY (in_table, call->in_table);

  call->state->values[call->in_table] = call->value;
  if (call->store == NULL)
    return TRUE;
  table = open_table (call->worker, call->store, error);
  return table != NULL &&
         dsq_store_set (table, in_table, g_variant_new_int64 (call->value), NULL, error);
}

static gboolean
clear_table (Call *call, GError **error)
{
  g_autoptr (DsqStore) table = NULL;

  memset (&call->state->values[FIRST], 0, N_IN_TABLE * sizeof (gint64));
  if (call->store == NULL)
    return TRUE;
  table = open_table (call->worker, call->store, error);
  return table != NULL && dsq_store_clear (table, NULL, error);
}

static gboolean
drop_table (Call *call, GError **error)
{
  g_autofree char *name = g_strdup_printf ("table %u", call->worker->number);

  memset (&call->state->values[FIRST], 0, N_IN_TABLE * sizeof (gint64));
  if (call->store != NULL)
    dsq_store_drop_table (call->store, name, NULL, error);
  return call->store == NULL || *error == NULL;
}

static gboolean
flush (Call *call, GError **error)
{
  return call->store == NULL || dsq_store_flush (call->store, NULL, error);
}

/* For those who read it in other processes. */
static gboolean
set_mark (Call *call, GError **error)
{
  g_autofree char *key = g_strdup_printf (MARK, call->worker->number);

  return call->store == NULL ||
         dsq_store_set (call->store, key, g_variant_new_int64 ((gint64) call->number), NULL, error);
}

/* --- reading ---------------------------------------------------------------------------------- */

static gboolean
read_key (const Worker *self, DsqStore *store, guint key, gint64 *out_value, GError **error)
{
  g_autofree char *name = key_of (self, key);
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant) value = dsq_store_get (store, name, NULL, &problem);

  *out_value = 0;
  if (problem != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    *out_value = g_ascii_strtoll (g_variant_get_string (value, NULL), NULL, 10);
  else if (value != NULL)
    *out_value = g_variant_get_int64 (value);
  return TRUE;
}

static gboolean
read_all (const Worker *self, DsqStore *store, WorkerState *out_state, GError **error)
{
  g_autoptr (DsqStore) table = open_table (self, store, error);

  if (table == NULL)
    return FALSE;
  for (guint key = 0; key < WORKER_N_KEYS; key++)
    if (!read_key (self, key < FIRST ? store : table, key, &out_state->values[key], error))
      return FALSE;
  return TRUE;
}

/* Nobody else changes it. */
static gboolean
get (Call *call, GError **error)
{
  gint64 value;

  if (call->store == NULL)
    return TRUE;
  if (!read_key (call->worker, call->store, call->a, &value, error))
    return FALSE;
  g_assert_cmpint (value, ==, call->state->values[call->a]);
  return TRUE;
}

/* --- a life ----------------------------------------------------------------------------------- */

static gboolean (*const verbs[]) (Call *call, GError **error) = {
  increment,   compare_and_set, set,          set_large,  remove_key, set_many,
  apply,       steal,           set_expiring, touch_over, transact,   set_in_table,
  clear_table, drop_table,      flush,        get,        get,        set_mark,
};

/* The call of a number: of the store, unless that is %NULL, and of the state in any case. */
static gboolean
make_call (Worker *self, guint64 number, DsqStore *store, WorkerState *state, GError **error)
{
  const guint32 seed[] = { self->seed, self->number, (guint32) number, (guint32) (number >> 32) };
  g_autoptr (GRand) random = g_rand_new_with_seed_array (seed, G_N_ELEMENTS (seed));
  Call call = { self, store, state, 0, 0, 0, 0, number };
  guint verb = (guint) g_rand_int_range (random, 0, G_N_ELEMENTS (verbs));

  call.a = (guint) g_rand_int_range (random, 1, FIRST);
  call.b = 1 + (call.a + (guint) g_rand_int_range (random, 0, FIRST - 2)) % (FIRST - 1);
  call.in_table = FIRST + (guint) g_rand_int_range (random, 0, N_IN_TABLE);
  call.value = g_rand_int_range (random, 1, G_MAXINT32);
  if (!verbs[verb](&call, error))
    return FALSE;
  if (store != NULL)
    {
      WorkerLog *log = &self->logs[self->at];
      const guint n_done = (guint) (number - log->first + 1);

      __atomic_store_n (&log->n_done, n_done, __ATOMIC_SEQ_CST);
      if (self->mode == DSQ_PERSIST_WRITETHROUGH || verbs[verb] == flush)
        __atomic_store_n (&log->n_kept, n_done, __ATOMIC_SEQ_CST);
      if (self->mode == DSQ_PERSIST_WRITETHROUGH && verbs[verb] == set_mark)
        __atomic_store_n (&self->mark, (gint64) number, __ATOMIC_SEQ_CST);
      __atomic_fetch_add (&self->n_all, 1, __ATOMIC_RELAXED);
    }
  return TRUE;
}

/* Where all is kept, what was before need not be known any more. */
static void
begin_log (Worker *self, guint64 next, const WorkerState *state)
{
  const WorkerLog *log = &self->logs[self->at];

  if (log->n_done < A_LOG || log->n_kept < log->n_done)
    return;
  self->logs[1 - self->at] = (WorkerLog){ .base = *state, .first = next };
  __atomic_store_n (&self->at, 1 - self->at, __ATOMIC_SEQ_CST);
}

void
worker_run (Worker *self, DsqStore *store, GError **error)
{
  WorkerState state = self->logs[self->at].base;
  guint64 number = self->logs[self->at].first;

  while (!__atomic_load_n (&self->ends, __ATOMIC_SEQ_CST) &&
         make_call (self, number, store, &state, error))
    begin_log (self, ++number, &state);
}

guint
worker_get_n_done (const Worker *self)
{
  const guint at = __atomic_load_n (&self->at, __ATOMIC_SEQ_CST);

  return __atomic_load_n (&self->logs[at].n_done, __ATOMIC_SEQ_CST);
}

void
worker_keep (Worker *self)
{
  self->logs[self->at].n_kept = self->logs[self->at].n_done;
}

gboolean
worker_check_mark (const Worker *self, DsqStore *store, GError **error)
{
  const gint64 mark = __atomic_load_n (&self->mark, __ATOMIC_SEQ_CST);
  g_autofree char *key = g_strdup_printf (MARK, self->number);
  g_autoptr (GError) problem = NULL;
  g_autoptr (GVariant) value = dsq_store_get (store, key, NULL, &problem);

  if (problem != NULL)
    g_propagate_error (error, g_steal_pointer (&problem));
  else if (mark > 0 && (value == NULL || g_variant_get_int64 (value) < mark))
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_FAILED,
                 "worker %u: %" G_GINT64_FORMAT " was acknowledged, and something older is read",
                 self->number,
                 mark);
  else
    return TRUE;
  return FALSE;
}

gboolean
worker_settle (Worker *self, DsqStore *store, GError **error)
{
  WorkerLog *log = &self->logs[self->at];
  WorkerState state = log->base;
  WorkerState found;
  gboolean is_known = FALSE;

  if (!read_all (self, store, &found, error))
    return FALSE;
  for (guint n = 0; n <= log->n_done + 1 && !is_known; n++)
    {
      if (n > 0)
        make_call (self, log->first + n - 1, NULL, &state, NULL);
      is_known = n >= log->n_kept && memcmp (&found, &state, sizeof found) == 0;
    }
  if (!is_known)
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_FAILED,
                 "worker %u: call %" G_GUINT64_FORMAT " was acknowledged, %u of them to be kept, "
                 "and another state is there",
                 self->number,
                 log->first + log->n_done,
                 log->n_kept);
  log->base = found;
  log->first += log->n_done + 2;
  log->n_done = log->n_kept = 0;
  return is_known;
}
