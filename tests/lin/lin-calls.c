/* lin-calls.c - the model's ops as calls of a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "lin-calls.h"

#include <time.h>

#define HOUR 3600000

static const char *const keys[LIN_N_KEYS] = { "a", "b", "c" };

void
lin_client_init (LinClient *self, DsqStore *store)
{
  g_autoptr (GError) error = NULL;

  self->store = g_object_ref (store);
  self->table = dsq_store_get_table (store, "of c", NULL, &error);
  g_assert_no_error (error);
}

void
lin_client_clear (LinClient *self)
{
  g_object_unref (self->table);
  g_object_unref (self->store);
}

/* --- what is called --------------------------------------------------------------------------- */

/* The newest entry is found by a walk, which is of no one instant: it is read behind the others. */
static const guint8 weights[LIN_N_VERBS] = {
  [LIN_GET] = 16,       [LIN_CONTAINS] = 6,    [LIN_SET] = 12,      [LIN_REMOVE] = 8,
  [LIN_STEAL] = 6,      [LIN_INCREMENT] = 10,  [LIN_EXCHANGE] = 12, [LIN_SET_OVER] = 4,
  [LIN_TOUCH_OVER] = 4, [LIN_CLEAR] = 4,       [LIN_COUNT] = 8,     [LIN_LAST] = 0,
  [LIN_SET_BOTH] = 6,   [LIN_APPLY] = 6,       [LIN_TRANSFER] = 10, [LIN_MAKE_TABLE] = 1,
  [LIN_DROP_TABLE] = 1, [LIN_LIST_TABLES] = 2,
};

static LinVerb
choose_verb (GRand *random)
{
  gint32 sum = 0;
  gint32 left;

  for (guint i = 0; i < LIN_N_VERBS; i++)
    sum += weights[i];
  left = g_rand_int_range (random, 0, sum);
  for (guint i = 0;; i++)
    if ((left -= weights[i]) < 0)
      return (LinVerb) i;
}

/* What is expected is one of few small numbers, so that it is met at times: values begin small
 * where a key was counted up from nothing. */
void
lin_op_choose (LinOp *self, GRand *random, gint64 fresh)
{
  const LinVerb verb = choose_verb (random);
  const gboolean is_of_both = verb == LIN_SET_BOTH || verb == LIN_APPLY;

  *self = (LinOp){ .verb = (guint8) verb,
                   .key = (guint8) g_rand_int_range (random, 0, is_of_both ? LIN_C : LIN_N_KEYS),
                   .value = fresh,
                   .other = fresh + 1 };
  switch (verb)
    {
    case LIN_SET:
      if (g_rand_boolean (random))
        self->value = g_rand_int_range (random, 0, 3);
      break;
    case LIN_INCREMENT:
      self->value = 1;
      self->other = 0;
      break;
    case LIN_EXCHANGE:
    case LIN_APPLY:
      self->other = g_rand_boolean (random) ? LIN_MISSING : g_rand_int_range (random, 0, 3);
      if (verb == LIN_EXCHANGE && g_rand_int_range (random, 0, 4) == 0)
        self->value = LIN_MISSING;
      break;
    default:
      break;
    }
}

/* --- the calls -------------------------------------------------------------------------------- */

static GVariant *
variant_of (gint64 value)
{
  return value != LIN_MISSING ? g_variant_new_int64 (value) : NULL;
}

/* Takes it. */
static gint64
value_of (GVariant *variant)
{
  gint64 value = LIN_MISSING;

  if (variant != NULL)
    value = g_variant_get_int64 (variant);
  g_clear_pointer (&variant, g_variant_unref);
  return value;
}

/* The pack of a key of one byte and a record, whose lengths and number take twelve. */
static gint64
find_last (DsqStore *store, GError **error)
{
  gsize length;
  g_autofree guint8 *pack = dsq_store_get_last_pack (store, &length, error);

  return length > 0 ? pack[12] - 'a' : LIN_MISSING;
}

static void
set_both (DsqStore *store, const LinOp *op, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  const char *partner = keys[op->key == LIN_A ? LIN_B : LIN_A];

  g_variant_builder_add (&builder, "{sv}", keys[op->key], g_variant_new_int64 (op->value));
  g_variant_builder_add (&builder, "{sv}", partner, g_variant_new_int64 (op->other));
  dsq_store_set_many (store, g_variant_builder_end (&builder), NULL, error);
}

static gboolean
apply (DsqStore *store, const LinOp *op, GError **error)
{
  g_auto (GVariantBuilder) expected = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));
  g_auto (GVariantBuilder) changes = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{smv}"));
  const char *partner = keys[op->key == LIN_A ? LIN_B : LIN_A];

  g_variant_builder_add (&expected, "{smv}", keys[op->key], variant_of (op->other));
  g_variant_builder_add (&changes, "{smv}", keys[op->key], variant_of (op->value));
  g_variant_builder_add (&changes, "{smv}", partner, variant_of (op->value + 1));
  return dsq_store_apply (store,
                          g_variant_builder_end (&expected),
                          g_variant_builder_end (&changes),
                          NULL,
                          error);
}

static void
transfer (DsqStore *store, LinOp *op, GError **error)
{
  g_autoptr (DsqTransaction) transaction = dsq_store_begin (store, error);
  g_autoptr (DsqStore) table = NULL;
  DsqStore *read_in;

  if (transaction == NULL)
    return;
  table = dsq_store_get_table (DSQ_STORE (transaction), "of c", NULL, error);
  if (table == NULL)
    return;
  read_in = op->key == LIN_C ? table : DSQ_STORE (transaction);
  op->result = value_of (dsq_store_get (read_in, keys[op->key], NULL, error));
  if (*error == NULL)
    dsq_store_set (DSQ_STORE (transaction),
                   keys[op->key == LIN_A ? LIN_B : LIN_A],
                   variant_of (op->value),
                   NULL,
                   error);
  op->other_result = *error == NULL && dsq_transaction_commit (transaction, NULL, error);
  if (g_error_matches (*error, DSQ_ERROR, DSQ_ERROR_CONFLICT))
    g_clear_error (error);
}

static gboolean
has_table (DsqStore *store, GError **error)
{
  g_auto (GStrv) names = dsq_store_list_tables (store, NULL, error);

  return names != NULL && g_strv_contains ((const char *const *) names, "made");
}

static void
make_call (LinClient *self, LinOp *op, GError **error)
{
  DsqStore *store = op->key == LIN_C ? self->table : self->store;
  const char *key = keys[op->key];
  gint64 sum;

  switch ((LinVerb) op->verb)
    {
    case LIN_GET:
      op->result = value_of (dsq_store_get (store, key, NULL, error));
      break;
    case LIN_CONTAINS:
      op->result = dsq_store_contains (store, key, NULL, error);
      break;
    case LIN_SET:
      if (op->value % 2 == 0)
        dsq_store_set (store, key, variant_of (op->value), NULL, error);
      else
        dsq_store_set_expiring (store, key, variant_of (op->value), HOUR, NULL, error);
      break;
    case LIN_REMOVE:
      op->result = dsq_store_remove (store, key, NULL, error);
      break;
    case LIN_STEAL:
      op->result = value_of (dsq_store_steal (store, key, NULL, error));
      break;
    case LIN_INCREMENT:
      dsq_store_increment (store, key, op->value, op->other, &sum, NULL, error);
      op->result = sum;
      break;
    case LIN_EXCHANGE:
      op->result = dsq_store_compare_and_set (store,
                                              key,
                                              variant_of (op->other),
                                              variant_of (op->value),
                                              NULL,
                                              error);
      break;
    case LIN_SET_OVER:
      dsq_store_set_expiring (store, key, variant_of (op->value), 0, NULL, error);
      break;
    case LIN_TOUCH_OVER:
      op->result = dsq_store_touch (store, key, 0, NULL, error);
      break;
    case LIN_CLEAR:
      dsq_store_clear (store, NULL, error);
      break;
    case LIN_COUNT:
      op->result = dsq_store_count (store, NULL, error);
      break;
    case LIN_LAST:
      op->result = find_last (store, error);
      break;
    case LIN_SET_BOTH:
      set_both (store, op, error);
      break;
    case LIN_APPLY:
      op->result = apply (store, op, error);
      break;
    case LIN_TRANSFER:
      transfer (self->store, op, error);
      break;
    case LIN_MAKE_TABLE:
      g_clear_object (&(DsqStore *){ dsq_store_get_table (self->store, "made", NULL, error) });
      break;
    case LIN_DROP_TABLE:
      op->result = dsq_store_drop_table (self->store, "made", NULL, error);
      break;
    case LIN_LIST_TABLES:
      op->result = has_table (self->store, error);
      break;
    case LIN_N_VERBS:
    default:
      g_assert_not_reached ();
    }
}

static gint64
read_clock (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

void
lin_client_call (LinClient *self, LinOp *op)
{
  g_autoptr (GError) error = NULL;

  op->begun = read_clock ();
  make_call (self, op, &error);
  op->ended = read_clock ();
  if (error != NULL)
    g_printerr ("%s %c: %s\n", lin_verb_get_name (op->verb), 'a' + op->key, error->message);
  g_assert_no_error (error);
}

void
lin_client_pin (LinClient *self, LinOp *out_ops, LinState *out_state)
{
  static const guint8 calls[LIN_N_PINS][2] = {
    { LIN_COUNT, LIN_A }, { LIN_LAST, LIN_A },  { LIN_GET, LIN_A },         { LIN_GET, LIN_B },
    { LIN_GET, LIN_C },   { LIN_COUNT, LIN_C }, { LIN_LIST_TABLES, LIN_A },
  };

  for (guint i = 0; i < LIN_N_PINS; i++)
    {
      out_ops[i] = (LinOp){ .verb = calls[i][0], .key = calls[i][1] };
      lin_client_call (self, &out_ops[i]);
    }
  *out_state = (LinState){
    { out_ops[2].result, out_ops[3].result, out_ops[4].result },
    out_ops[1].result == LIN_B,
    (guint64) out_ops[6].result,
  };
}
