/* lin-checker.c - whether calls that overlapped can have been made one after the other
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Wing and Gong's search ("Testing and verifying concurrent objects", 1993): take any op that no op
 * left has ended before, step the model by it, go on with what is left, and go back where the model
 * says no. With the memory of Lowe ("Testing for linearizability", 2017): a set of ops that were
 * taken and the state that they led to is tried once, in whichever order they were taken.
 */

#include "lin-checker.h"

#include <string.h>

typedef struct
{
  guint64 taken; /* a bit each op */
  LinState state;
} Point;

typedef struct
{
  Point point;
  guint next; /* the op to be tried next */
} Frame;

struct _LinChecker
{
  Frame frames[LIN_MAX_OPS + 1];
  Point *seen;         /* (owned) an open-addressing table */
  guint32 *seen_check; /* (owned) the check that each slot was used in */
  guint n_slots;       /* a power of two */
  guint n_seen;
  guint32 check;
  guint n_steps;
};

static void
make_slots (LinChecker *self, guint n_slots)
{
  self->seen = g_new (Point, n_slots);
  self->seen_check = g_new0 (guint32, n_slots);
  self->n_slots = n_slots;
  self->n_seen = 0;
}

LinChecker *
lin_checker_new (void)
{
  LinChecker *self = g_new0 (LinChecker, 1);

  make_slots (self, 1024);
  return self;
}

void
lin_checker_free (LinChecker *self)
{
  g_free (self->seen);
  g_free (self->seen_check);
  g_free (self);
}

static guint
hash_point (const Point *point)
{
  guint64 words[sizeof *point / sizeof (guint64)];
  guint64 hash = 0;

  memcpy (words, point, sizeof words);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    hash = (hash ^ words[i]) * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15) ^ (hash >> 29);
  return (guint) (hash >> 32);
}

/* FALSE: it was seen before. */
static gboolean note_point (LinChecker *self, const Point *point);

static void
grow (LinChecker *self)
{
  Point *seen = self->seen;
  guint32 *seen_check = self->seen_check;
  guint n_slots = self->n_slots;

  make_slots (self, n_slots * 2);
  for (guint i = 0; i < n_slots; i++)
    if (seen_check[i] == self->check)
      note_point (self, &seen[i]);
  g_free (seen);
  g_free (seen_check);
}

static gboolean
note_point (LinChecker *self, const Point *point)
{
  guint slot;

  if (self->n_seen * 2 >= self->n_slots)
    grow (self);
  slot = hash_point (point) & (self->n_slots - 1);
  for (; self->seen_check[slot] == self->check; slot = (slot + 1) & (self->n_slots - 1))
    if (memcmp (&self->seen[slot], point, sizeof *point) == 0)
      return FALSE;
  self->seen[slot] = *point;
  self->seen_check[slot] = self->check;
  self->n_seen++;
  return TRUE;
}

/* When the first of those that are left ended. */
static gint64
find_first_end (const LinOp *ops, guint n_ops, guint64 taken)
{
  gint64 end = G_MAXINT64;

  for (guint i = 0; i < n_ops; i++)
    if ((taken >> i & 1) == 0)
      end = MIN (end, ops[i].ended);
  return end;
}

/* The point behind @frame's next op; FALSE when there is none. */
static gboolean
advance (Frame *frame, const LinOp *ops, guint n_ops, Point *out_point)
{
  const gint64 end = find_first_end (ops, n_ops, frame->point.taken);

  while (frame->next < n_ops)
    {
      const guint i = frame->next++;

      if ((frame->point.taken >> i & 1) != 0 || ops[i].begun > end)
        continue;
      *out_point = frame->point;
      if (lin_state_step (&out_point->state, &ops[i]))
        {
          out_point->taken |= G_GUINT64_CONSTANT (1) << i;
          return TRUE;
        }
    }
  return FALSE;
}

gboolean
lin_checker_check (LinChecker *self, const LinState *start, const LinOp *ops, guint n_ops)
{
  guint depth = 0;

  g_assert_cmpuint (n_ops, <=, LIN_MAX_OPS);
  self->check++;
  self->n_seen = 0;
  self->n_steps = 0;
  self->frames[0] = (Frame){ { 0, *start }, 0 };
  while (depth < n_ops)
    {
      Point point;

      self->n_steps++;
      if (!advance (&self->frames[depth], ops, n_ops, &point))
        {
          if (depth-- == 0)
            return FALSE;
        }
      else if (note_point (self, &point))
        self->frames[++depth] = (Frame){ point, 0 };
    }
  return TRUE;
}

guint
lin_checker_get_n_steps (LinChecker *self)
{
  return self->n_steps;
}

static void
append_number (GString *text, const char *name, gint64 number)
{
  if (number == LIN_MISSING)
    g_string_append_printf (text, " %s missing", name);
  else
    g_string_append_printf (text, " %s %" G_GINT64_FORMAT, name, number);
}

char *
lin_describe (const LinState *start, const LinOp *ops, guint n_ops)
{
  GString *text = g_string_new ("start:");
  const gint64 zero = n_ops > 0 ? ops[0].begun : 0;

  append_number (text, "a", start->values[LIN_A]);
  append_number (text, "b", start->values[LIN_B]);
  append_number (text, "c", start->values[LIN_C]);
  g_string_append_printf (text,
                          "%s%s\n",
                          start->b_is_last ? ", b last" : "",
                          start->has_table ? ", table" : "");
  for (guint i = 0; i < n_ops; i++)
    {
      g_string_append_printf (text,
                              "%8" G_GINT64_FORMAT " to %8" G_GINT64_FORMAT ": %s %c",
                              ops[i].begun - zero,
                              ops[i].ended - zero,
                              lin_verb_get_name (ops[i].verb),
                              'a' + ops[i].key);
      append_number (text, "value", ops[i].value);
      append_number (text, "other", ops[i].other);
      append_number (text, "->", ops[i].result);
      append_number (text, "and", ops[i].other_result);
      g_string_append_c (text, '\n');
    }
  return g_string_free (text, FALSE);
}
