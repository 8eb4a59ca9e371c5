/* lin-model.c - what a store does, one call after the other
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "lin-model.h"

static const char *const names[LIN_N_VERBS] = {
  "get",      "contains", "set",        "remove",     "steal",      "increment",
  "exchange", "set-over", "touch-over", "clear",      "count",      "last",
  "set-both", "apply",    "transfer",   "make-table", "drop-table", "list-tables",
};

const char *
lin_verb_get_name (LinVerb verb)
{
  return names[verb];
}

void
lin_state_init (LinState *self)
{
  *self = (LinState){ { LIN_MISSING, LIN_MISSING, LIN_MISSING }, 0, 0 };
}

/* A key that was missing comes last. */
static void
put (LinState *self, LinKey key, gint64 value)
{
  if (self->values[key] == LIN_MISSING && value != LIN_MISSING && key != LIN_C)
    self->b_is_last = key == LIN_B;
  self->values[key] = value;
}

static gint64
take (LinState *self, LinKey key)
{
  gint64 value = self->values[key];

  self->values[key] = LIN_MISSING;
  return value;
}

static gint64
find_last (const LinState *self)
{
  if (self->values[LIN_B] != LIN_MISSING && (self->values[LIN_A] == LIN_MISSING || self->b_is_last))
    return LIN_B;
  return self->values[LIN_A] != LIN_MISSING ? LIN_A : LIN_MISSING;
}

gboolean
lin_state_step (LinState *self, const LinOp *op)
{
  const LinKey key = op->key;
  const LinKey partner = key == LIN_A ? LIN_B : LIN_A;
  const gint64 before = self->values[key];
  const gboolean is_there = before != LIN_MISSING;

  switch ((LinVerb) op->verb)
    {
    case LIN_GET:
      return op->result == before;
    case LIN_CONTAINS:
      return op->result == is_there;
    case LIN_SET:
      put (self, key, op->value);
      return TRUE;
    case LIN_REMOVE:
    case LIN_TOUCH_OVER:
      take (self, key);
      return op->result == is_there;
    case LIN_STEAL:
      return op->result == take (self, key);
    case LIN_INCREMENT:
      put (self, key, (is_there ? before : op->other) + op->value);
      return op->result == self->values[key];
    case LIN_EXCHANGE:
      if (before == op->other)
        put (self, key, op->value);
      return op->result == (before == op->other);
    case LIN_SET_OVER:
      take (self, key);
      return TRUE;
    case LIN_CLEAR:
      take (self, key);
      if (key != LIN_C)
        take (self, partner);
      return TRUE;
    case LIN_COUNT:
      return op->result == is_there + (key != LIN_C && self->values[partner] != LIN_MISSING);
    case LIN_LAST:
      return op->result == find_last (self);
    case LIN_SET_BOTH:
      put (self, key, op->value);
      put (self, partner, op->other);
      return TRUE;
    case LIN_APPLY:
      if (op->result != (before == op->other))
        return FALSE;
      if (op->result)
        {
          put (self, key, op->value);
          put (self, partner, op->value + 1);
        }
      return TRUE;
    case LIN_TRANSFER:
      if (!op->other_result)
        return TRUE;
      put (self, partner, op->value);
      return op->result == before;
    case LIN_MAKE_TABLE:
      self->has_table = TRUE;
      return TRUE;
    case LIN_DROP_TABLE:
      if (op->result != (gint64) self->has_table)
        return FALSE;
      self->has_table = FALSE;
      return TRUE;
    case LIN_LIST_TABLES:
      return op->result == (gint64) self->has_table;
    case LIN_N_VERBS:
    default:
      g_assert_not_reached ();
    }
}
