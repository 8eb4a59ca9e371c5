/* lin-model.h - what a store does, one call after the other
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* No value of a key that is missing. */
#define LIN_MISSING G_MININT64

typedef enum
{
  LIN_A,
  LIN_B,
  LIN_C, /* of another table, alone in it */
  LIN_N_KEYS
} LinKey;

/* What each is given in @value and @other, and gives in @result; a transaction in @other_result as
 * well. */
typedef enum
{
  LIN_GET,        /* the value, or LIN_MISSING */
  LIN_CONTAINS,   /* 0 or 1 */
  LIN_SET,        /* the value */
  LIN_REMOVE,     /* 0 or 1 */
  LIN_STEAL,      /* the value, or LIN_MISSING */
  LIN_INCREMENT,  /* by @value, a missing one from @other; the sum */
  LIN_EXCHANGE,   /* @other, or LIN_MISSING, by @value, or LIN_MISSING; 0 or 1 */
  LIN_SET_OVER,   /* with no time to live: it is gone */
  LIN_TOUCH_OVER, /* the same; 0 or 1 */
  LIN_CLEAR,      /* the key's table */
  LIN_COUNT,      /* the key's table */
  LIN_LAST,       /* of A and B: the key, or LIN_MISSING */
  LIN_SET_BOTH,   /* A and B to @value and @other, @key first */
  LIN_APPLY,      /* if @key holds @other, both are set to @value and @value + 1; 0 or 1 */
  LIN_TRANSFER,   /* a transaction: @key is read, the other one of A and B set to @value; what was
                     read, and 0 or 1 */
  LIN_MAKE_TABLE,
  LIN_DROP_TABLE,  /* 0 or 1 */
  LIN_LIST_TABLES, /* 0 or 1 */
  LIN_N_VERBS
} LinVerb;

typedef struct
{
  gint64 begun; /* nanoseconds; an op is before another if it ended before that began */
  gint64 ended;
  gint64 value;
  gint64 other;
  gint64 result;
  gint64 other_result;
  guint8 verb; /* LinVerb */
  guint8 key;  /* LinKey */
} LinOp;

typedef struct
{
  gint64 values[LIN_N_KEYS]; /* or LIN_MISSING */
  guint64 b_is_last;         /* of A and B, where both are there */
  guint64 has_table;
} LinState;

void lin_state_init (LinState *self);

/* Does what @op does next; FALSE when it would give something else than it gave. */
gboolean lin_state_step (LinState *self, const LinOp *op);

const char *lin_verb_get_name (LinVerb verb);
