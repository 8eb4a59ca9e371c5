/* dsq-pickle-machine.c - the stack, the memo and the containers of a pickle that is looked through
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "pickle/dsq-pickle-machine-private.h"
#include "pickle/dsq-pickle-notes-private.h"

/*
 * The machine does to kinds of values what Python's unpickler does to values: it has the same
 * stack, marks and memo, but holds of a value only its kind. Containers and instances have a node
 * besides, which knows what is in it, so that what is expensive to hash or endless to print can be
 * found.
 *
 * A value is either where it was made or a copy out of the memo. As long as no container was copied
 * the nodes are a tree, in which nothing costs more than its own bytes; otherwise they are weighed
 * at the end, in dsq-pickle-graph.c.
 *
 * The arrays begin on the caller's stack, so that a small pickle costs no allocation.
 */

const char dsq_pickle_heavy_keys[] = "its keys take too long to hash";
static const char no_value[] = "it takes a value that is not there";

#define INIT_ARRAY(array)                                                                          \
  G_STMT_START                                                                                     \
  {                                                                                                \
    (array).at = (array).first;                                                                    \
    (array).n = 0;                                                                                 \
    (array).room = G_N_ELEMENTS ((array).first);                                                   \
  }                                                                                                \
  G_STMT_END

#define CLEAR_ARRAY(array)                                                                         \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if ((array).at != (array).first)                                                               \
      g_free ((array).at);                                                                         \
  }                                                                                                \
  G_STMT_END

/* Room for one more. No array outgrows 32 bits: each opcode adds a few elements at most, and the
 * longest record is 512 MiB. */
#define RESERVE(array)                                                                             \
  G_STMT_START                                                                                     \
  {                                                                                                \
    if (G_UNLIKELY ((array).n == (array).room))                                                    \
      (array).at = grow ((array).at, (array).first, &(array).room, sizeof *(array).at);            \
  }                                                                                                \
  G_STMT_END

static void *
grow (void *at, const void *first, guint32 *room, gsize element)
{
  gsize new_room = 2 * (gsize) *room;
  void *grown;

  if (at == first)
    {
      grown = g_malloc_n (new_room, element);
      memcpy (grown, at, *room * element);
    }
  else
    grown = g_realloc_n (at, new_room, element);
  *room = (guint32) new_room;
  return grown;
}

void
dsq_pickle_machine_init (DsqPickleMachine *self, const guint8 *bytes, guint32 length)
{
  self->bytes = bytes;
  self->length = length;
  self->at = self->op_at = self->frame_end = 0;
  self->protocol = 0;
  self->n_pairs = 0;
  self->is_shared = self->has_weights = self->has_many = self->notes_lists = self->fills_late =
      FALSE;
  self->key_weight = self->weight = self->built = self->n_instances = 0;
  self->fault = NULL;
  self->fault_import = 0;
  self->memo_count = 0;
  self->keys = NULL;
  self->calls = NULL;
  INIT_ARRAY (self->stack);
  INIT_ARRAY (self->memo);
  INIT_ARRAY (self->arena);
  INIT_ARRAY (self->marks);
  INIT_ARRAY (self->nodes);
  INIT_ARRAY (self->edges);
  INIT_ARRAY (self->names);
}

void
dsq_pickle_machine_clear (DsqPickleMachine *self)
{
  CLEAR_ARRAY (self->stack);
  CLEAR_ARRAY (self->memo);
  CLEAR_ARRAY (self->arena);
  CLEAR_ARRAY (self->marks);
  CLEAR_ARRAY (self->nodes);
  CLEAR_ARRAY (self->edges);
  CLEAR_ARRAY (self->names);
  g_clear_pointer (&self->keys, g_array_unref);
  if (self->calls != NULL)
    dsq_pickle_calls_free (self->calls);
}

/* --- stack and marks -------------------------------------------------------------------------- */

/* The height below which nothing may be taken. */
static inline guint32
floor_of (const DsqPickleMachine *self)
{
  return self->marks.n > 0 ? self->marks.at[self->marks.n - 1] : 0;
}

void
dsq_pickle_push_value (DsqPickleMachine *self, DsqPickleValue value)
{
  RESERVE (self->stack);
  self->stack.at[self->stack.n++] = value;
}

DsqPickleValue *
dsq_pickle_top (DsqPickleMachine *self)
{
  return self->stack.n > floor_of (self) ? &self->stack.at[self->stack.n - 1] : NULL;
}

gboolean
dsq_pickle_pop (DsqPickleMachine *self, DsqPickleValue *out)
{
  const DsqPickleValue *top = dsq_pickle_top (self);

  if (top == NULL)
    return dsq_pickle_fail (self, no_value);
  *out = *top;
  self->stack.n--;
  return TRUE;
}

void
dsq_pickle_push_mark (DsqPickleMachine *self)
{
  RESERVE (self->marks);
  self->marks.at[self->marks.n++] = self->stack.n;
}

/* How many values an opcode takes: @n_values, or those above the mark, which goes. */
static gboolean
count_values (DsqPickleMachine *self, guint32 n_values, guint32 *out)
{
  if (n_values == G_MAXUINT32)
    {
      if (self->marks.n == 0)
        return dsq_pickle_fail (self, "it ends at a mark that is not there");
      n_values = self->stack.n - floor_of (self);
      self->marks.n--;
    }
  else if (self->stack.n - floor_of (self) < n_values)
    return dsq_pickle_fail (self, no_value);
  *out = n_values;
  return TRUE;
}

gboolean
dsq_pickle_pop_mark (DsqPickleMachine *self)
{
  guint32 n_values;

  if (!count_values (self, G_MAXUINT32, &n_values))
    return FALSE;
  self->stack.n -= n_values;
  return TRUE;
}

gboolean
dsq_pickle_discard (DsqPickleMachine *self)
{
  DsqPickleValue value;

  if (self->marks.n > 0 && self->stack.n == floor_of (self))
    {
      self->marks.n--;
      return TRUE;
    }
  return dsq_pickle_pop (self, &value);
}

static void
push_copy (DsqPickleMachine *self, DsqPickleValue value)
{
  if (value.kind >= DSQ_PICKLE_LIST)
    self->is_shared = TRUE;
  value.is_copy = TRUE;
  dsq_pickle_push_value (self, value);
}

gboolean
dsq_pickle_duplicate (DsqPickleMachine *self)
{
  const DsqPickleValue *top = dsq_pickle_top (self);

  if (top == NULL)
    return dsq_pickle_fail (self, no_value);
  push_copy (self, *top);
  return TRUE;
}

/* --- memo ------------------------------------------------------------------------------------- */

/* Python's memo is an array up to the highest index: the index may not exceed what picklers give,
 * which count up from 0 or 1, and take a byte for each at least. */
gboolean
dsq_pickle_put (DsqPickleMachine *self, guint64 index)
{
  const DsqPickleValue *top = dsq_pickle_top (self);

  if (top == NULL)
    return dsq_pickle_fail (self, no_value);
  if (index > self->op_at)
    return dsq_pickle_fail (self, "a memo index is too large");

  while (self->memo.n <= index)
    {
      RESERVE (self->memo);
      self->memo.at[self->memo.n++].kind = DSQ_PICKLE_UNSET;
    }
  self->memo_count += self->memo.at[index].kind == DSQ_PICKLE_UNSET;
  self->memo.at[index] = *top;
  return TRUE;
}

gboolean
dsq_pickle_memoize (DsqPickleMachine *self)
{
  return dsq_pickle_put (self, self->memo_count);
}

gboolean
dsq_pickle_get (DsqPickleMachine *self, guint64 index)
{
  if (index >= self->memo.n || self->memo.at[index].kind == DSQ_PICKLE_UNSET)
    return dsq_pickle_fail (self, "nothing was put at a memo index");
  push_copy (self, self->memo.at[index]);
  return TRUE;
}

/* --- containers ------------------------------------------------------------------------------- */

/* What Python 3.9 to 3.13 take at most for a container without items, and its place in another. */
static const guint8 bytes_of[] = {
  [DSQ_PICKLE_LIST] = 72,       [DSQ_PICKLE_DICT] = 72,  [DSQ_PICKLE_SET] = 232,
  [DSQ_PICKLE_FROZENSET] = 232, [DSQ_PICKLE_TUPLE] = 64, [DSQ_PICKLE_INSTANCE] = 64,
};
#define BYTES_OF_FIRST_KEY 168

guint32
dsq_pickle_add_node (DsqPickleMachine *self, DsqPickleKind kind)
{
  RESERVE (self->nodes);
  self->nodes.at[self->nodes.n] =
      (DsqPickleNode){ .weight = DSQ_PICKLE_VALUE_WEIGHT, .kind = (guint8) kind };
  self->weight += DSQ_PICKLE_VALUE_WEIGHT;
  self->built += bytes_of[kind];
  self->n_instances += kind == DSQ_PICKLE_INSTANCE;
  return self->nodes.n++;
}

/* Whether a value is one of those that hash as they like, or as all that is in them does; of a
 * list, which may be a pair, whether it has one, or may get one when it is held already. */
static gboolean
hashes_unknown (const DsqPickleMachine *self, DsqPickleValue value)
{
  const DsqPickleNode *node = &self->nodes.at[value.index];

  return value.kind == DSQ_PICKLE_INSTANCE ||
         (value.kind == DSQ_PICKLE_FROZENSET && node->n_plain < node->n_keys) ||
         (value.kind == DSQ_PICKLE_LIST && value.is_copy) ||
         ((value.kind == DSQ_PICKLE_LIST || value.kind == DSQ_PICKLE_TUPLE) &&
          (node->flags & DSQ_PICKLE_NODE_UNKNOWN) != 0);
}

static gboolean
hold_node (DsqPickleMachine *self, guint32 index, DsqPickleValue value, DsqPickleRole role)
{
  DsqPickleNode *node = &self->nodes.at[index];

  /* what a copy adds to the depth is found at the end, when cycles are known */
  if (!value.is_copy)
    {
      node->depth = MAX (node->depth, self->nodes.at[value.index].depth + 1);
      if (node->depth > DSQ_PICKLE_MAX_DEPTH)
        return dsq_pickle_fail (self, "it is nested too deeply");
    }
  if (value.kind == DSQ_PICKLE_INSTANCE)
    node->flags |= DSQ_PICKLE_NODE_INSTANCES;
  if ((role == DSQ_PICKLE_AS_KEY || node->kind == DSQ_PICKLE_LIST ||
       node->kind == DSQ_PICKLE_TUPLE) &&
      hashes_unknown (self, value))
    node->flags |= DSQ_PICKLE_NODE_UNKNOWN;
  RESERVE (self->edges);
  self->edges.at[self->edges.n] =
      (DsqPickleEdge){ value.index & (((guint32) 1 << 30) - 1), role & 3, node->edges };
  node->edges = ++self->edges.n;
  return TRUE;
}

gboolean
dsq_pickle_hold (DsqPickleMachine *self, guint32 index, DsqPickleValue value, DsqPickleRole role)
{
  DsqPickleNode *node = &self->nodes.at[index];
  guint64 weight;

  if (role == DSQ_PICKLE_AS_KEY &&
      (value.kind == DSQ_PICKLE_LIST || value.kind == DSQ_PICKLE_DICT ||
       value.kind == DSQ_PICKLE_SET || value.kind == DSQ_PICKLE_BYTEARRAY))
    return dsq_pickle_fail (self, "a key cannot be hashed");
  if (value.kind >= DSQ_PICKLE_LIST)
    return hold_node (self, index, value, role);

  if (value.kind == DSQ_PICKLE_GLOBAL || value.kind == DSQ_PICKLE_MEMBER)
    dsq_pickle_use (self, value);
  weight = DSQ_PICKLE_VALUE_WEIGHT + value.length;
  node->weight += weight;
  self->weight += weight;
  if (role == DSQ_PICKLE_AS_KEY)
    {
      self->key_weight += weight;
      if (self->key_weight > DSQ_PICKLE_MAX_KEY_WEIGHT (self->length))
        return dsq_pickle_fail (self, dsq_pickle_heavy_keys);
    }
  return TRUE;
}

/* The values of a tuple are kept: they may become the arguments of a call, or be hashed. */
static void
keep_items (DsqPickleMachine *self, guint32 index, const DsqPickleValue *values, guint32 n_values)
{
  DsqPickleNode *node = &self->nodes.at[index];

  node->n_items = n_values;
  node->items = self->arena.n;
  for (guint32 i = 0; i < n_values; i++)
    {
      RESERVE (self->arena);
      self->arena.at[self->arena.n++] = values[i];
    }
}

void
dsq_pickle_count_pairs (DsqPickleMachine *self, const DsqPickleNode *node, guint32 n_keys)
{
  if ((node->flags & DSQ_PICKLE_NODE_UNKNOWN) != 0 && self->n_pairs <= G_MAXUINT32)
    self->n_pairs += (guint64) n_keys * (node->n_keys - node->n_plain);
}

/* Counts the keys that are put into a container, each @step of @values, and notes them where there
 * are many. @n_plain of them are strings. */
static void
count_keys (DsqPickleMachine *self,
            guint32 index,
            const DsqPickleValue *values,
            guint32 n_values,
            guint step,
            guint32 n_plain)
{
  DsqPickleNode *node = &self->nodes.at[index];

  node->n_keys += n_values / step;
  node->n_plain += n_plain;
  dsq_pickle_count_pairs (self, node, n_values / step);
  if (node->n_keys - node->n_plain <= DSQ_PICKLE_FEW_KEYS)
    return;
  if (self->keys == NULL)
    self->keys = g_array_new (FALSE, FALSE, sizeof (DsqPickleKey));
  for (guint32 i = 0; i < n_values; i += step)
    g_array_append_vals (self->keys, &(DsqPickleKey){ values[i], index }, 1);
}

/* Whether a key looks like "__class__". Two that honest state holds are let pass. */
static gboolean
is_dunder (const DsqPickleMachine *self, DsqPickleValue key)
{
  const char *text = (const char *) self->bytes + key.index;

  if (key.length < 2 || text[0] != '_' || text[1] != '_')
    return FALSE;
  return !(key.length == 9 && memcmp (text, "__notes__", 9) == 0) &&
         !(key.length == 14 && memcmp (text, "__orig_class__", 14) == 0) &&
         text[key.length - 1] == '_' && text[key.length - 2] == '_';
}

/* What a pickle that imports nothing has for keys need not be known. */
static void
note_name (DsqPickleMachine *self, DsqPickleNode *node, DsqPickleValue key)
{
  if (is_dunder (self, key))
    node->flags |= DSQ_PICKLE_NODE_DUNDER_KEYS;
  if (node->kind != DSQ_PICKLE_DICT)
    return;
  if (self->calls == NULL || node->n_items == DSQ_PICKLE_MAX_STATE)
    {
      node->flags |= DSQ_PICKLE_NODE_UNNAMED_KEYS;
      return;
    }
  RESERVE (self->names);
  self->names.at[self->names.n] = (DsqPickleKeyName){ key.index, key.length, node->items };
  node->items = ++self->names.n;
  node->n_items++;
}

static gboolean
hold_pairs (DsqPickleMachine *self, guint32 index, const DsqPickleValue *values, guint32 n_values)
{
  guint32 n_plain = 0;

  if (n_values % 2 != 0)
    return dsq_pickle_fail (self, "a key has no value");
  if (self->nodes.at[index].n_keys == 0 && n_values > 0)
    self->built += BYTES_OF_FIRST_KEY;
  for (guint32 i = 0; i < n_values; i += 2)
    {
      if (values[i].kind == DSQ_PICKLE_STRING)
        {
          note_name (self, &self->nodes.at[index], values[i]);
          n_plain++;
        }
      else
        self->nodes.at[index].flags |= DSQ_PICKLE_NODE_OTHER_KEYS;
      if (!dsq_pickle_hold (self, index, values[i], DSQ_PICKLE_AS_KEY) ||
          !dsq_pickle_hold (self, index, values[i + 1], DSQ_PICKLE_AS_ITEM))
        return FALSE;
    }
  count_keys (self, index, values, n_values, 2, n_plain);
  return TRUE;
}

static gboolean
hold_keys (DsqPickleMachine *self, guint32 index, const DsqPickleValue *values, guint32 n_values)
{
  guint32 n_plain = 0;

  for (guint32 i = 0; i < n_values; i++)
    {
      n_plain += values[i].kind == DSQ_PICKLE_STRING;
      if (!dsq_pickle_hold (self, index, values[i], DSQ_PICKLE_AS_KEY))
        return FALSE;
    }
  count_keys (self, index, values, n_values, 1, n_plain);
  return TRUE;
}

/* What is on the stack from @values on goes into a node as into a container of @kind. */
static gboolean
hold_values (DsqPickleMachine *self,
             guint32 index,
             DsqPickleKind kind,
             const DsqPickleValue *values,
             guint32 n_values)
{
  if (kind == DSQ_PICKLE_DICT)
    return hold_pairs (self, index, values, n_values);
  if (kind == DSQ_PICKLE_SET || kind == DSQ_PICKLE_FROZENSET)
    return hold_keys (self, index, values, n_values);
  if (kind == DSQ_PICKLE_TUPLE || (self->notes_lists && self->nodes.at[index].n_keys == 0))
    keep_items (self, index, values, n_values);
  if (self->notes_lists)
    count_keys (self, index, values, n_values, 1, 0);
  else
    self->nodes.at[index].n_keys += n_values;
  for (guint32 i = 0; i < n_values; i++)
    if (!dsq_pickle_hold (self, index, values[i], DSQ_PICKLE_AS_ITEM))
      return FALSE;
  return TRUE;
}

gboolean
dsq_pickle_make (DsqPickleMachine *self, DsqPickleKind kind, guint32 n_values)
{
  const DsqPickleValue *values;
  guint32 index;

  if (!count_values (self, n_values, &n_values))
    return FALSE;
  if (kind == DSQ_PICKLE_TUPLE && n_values == 0)
    {
      dsq_pickle_push (self, DSQ_PICKLE_EMPTY_TUPLE, 0, 0);
      return TRUE;
    }

  index = dsq_pickle_add_node (self, kind);
  values = self->stack.at + self->stack.n - n_values;
  if (!hold_values (self, index, kind, values, n_values))
    return FALSE;
  self->stack.n -= n_values;
  dsq_pickle_push (self, kind, index, 0);
  return TRUE;
}

gboolean
dsq_pickle_fill (DsqPickleMachine *self, DsqPickleKind kind, guint32 n_values)
{
  DsqPickleValue target;

  if (!count_values (self, n_values, &n_values))
    return FALSE;
  if (self->stack.n - n_values <= floor_of (self))
    return dsq_pickle_fail (self, no_value);
  target = self->stack.at[self->stack.n - n_values - 1];
  if (target.kind != kind && target.kind != DSQ_PICKLE_INSTANCE)
    return dsq_pickle_fail_with (self,
                                 target,
                                 "it adds items to what is no container that was made in it");
  if (target.kind == DSQ_PICKLE_INSTANCE && !dsq_pickle_note_fill (self, target.index, kind))
    return FALSE;
  if (!hold_values (self, target.index, kind, self->stack.at + self->stack.n - n_values, n_values))
    return FALSE;
  /* who holds it may have been told that it has none: pickle fills no list that it has left */
  self->fills_late |= target.is_copy && target.kind == DSQ_PICKLE_LIST &&
                      (self->nodes.at[target.index].flags & DSQ_PICKLE_NODE_UNKNOWN) != 0;
  self->stack.n -= n_values;
  return TRUE;
}

char
dsq_pickle_letter (DsqPickleKind kind)
{
  static const char letters[] = {
    [DSQ_PICKLE_UNSET] = '?',   [DSQ_PICKLE_NONE] = 'n',        [DSQ_PICKLE_BOOLEAN] = 'b',
    [DSQ_PICKLE_INTEGER] = 'i', [DSQ_PICKLE_BIG_INTEGER] = 'I', [DSQ_PICKLE_HUGE_INTEGER] = 'H',
    [DSQ_PICKLE_FLOAT] = 'f',   [DSQ_PICKLE_STRING] = 's',      [DSQ_PICKLE_TEXT] = 's',
    [DSQ_PICKLE_BYTES] = 'y',   [DSQ_PICKLE_BYTEARRAY] = 'a',   [DSQ_PICKLE_EMPTY_TUPLE] = 't',
    [DSQ_PICKLE_GLOBAL] = 'c',  [DSQ_PICKLE_MEMBER] = 'm',      [DSQ_PICKLE_LIST] = 'l',
    [DSQ_PICKLE_DICT] = 'd',    [DSQ_PICKLE_SET] = 'e',         [DSQ_PICKLE_FROZENSET] = 'z',
    [DSQ_PICKLE_TUPLE] = 't',   [DSQ_PICKLE_INSTANCE] = 'o',
  };

  return letters[kind];
}
