/* dsq-pickle-machine-private.h - the state of a pickle that is looked through
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pickle/dsq-pickle-values-private.h"

G_BEGIN_DECLS

/* An array that begins on the caller's stack and moves to the heap when it grows. */
#define DSQ_PICKLE_ARRAY(type, n_first)                                                            \
  struct                                                                                           \
  {                                                                                                \
    type *at;                                                                                      \
    guint32 n;                                                                                     \
    guint32 room;                                                                                  \
    type first[n_first];                                                                           \
  }

/* A value that is hashed to be put into @node. */
typedef struct
{
  DsqPickleValue value;
  guint32 node;
} DsqPickleKey;

typedef struct _DsqPickleCalls DsqPickleCalls;

typedef struct
{
  const guint8 *bytes; /* (unowned) */
  guint32 length;
  guint32 at;        /* the next byte to read */
  guint32 op_at;     /* the opcode under way */
  guint32 frame_end; /* 0 outside of a frame */
  guint8 protocol;
  gboolean is_shared;   /* a value with a node was taken from the memo: the nodes are no tree */
  gboolean has_weights; /* what calls weigh is told */
  gboolean has_many;    /* a call is given a list so long that it matters how its items hash */
  gboolean notes_lists; /* the items of all lists are noted */
  gboolean fills_late;  /* a list got what hashes unknown when it may have been in another */
  guint64 key_weight;   /* of keys: as they come of those without a node, at the end of others */
  guint64 weight;       /* of all nodes, each its own */
  guint64 built;        /* bytes that Python takes for the containers themselves */
  guint64 n_instances;
  guint64 n_pairs;      /* of keys that may be equal, where the hashes of some are not known */
  const char *fault;    /* (unowned) (nullable) */
  guint32 fault_import; /* 1 + the index of the import that the fault is about, or 0 */
  guint32 memo_count;   /* entries that are set, which MEMOIZE counts by */

  DSQ_PICKLE_ARRAY (DsqPickleValue, 24) stack;
  DSQ_PICKLE_ARRAY (DsqPickleValue, 24) memo;
  DSQ_PICKLE_ARRAY (DsqPickleValue, 16) arena; /* values of tuples */
  DSQ_PICKLE_ARRAY (guint32, 16) marks;        /* heights of the stack */
  DSQ_PICKLE_ARRAY (DsqPickleNode, 12) nodes;
  DSQ_PICKLE_ARRAY (DsqPickleEdge, 12) edges;
  DSQ_PICKLE_ARRAY (DsqPickleKeyName, 12) names;
  GArray *keys;          /* (owned) (nullable) of DsqPickleKey, of containers that have many */
  DsqPickleCalls *calls; /* (owned) (nullable) */
} DsqPickleMachine;

/* FALSE; nothing is done after the first fault. */
static inline gboolean
dsq_pickle_fail (DsqPickleMachine *self, const char *fault)
{
  self->fault = fault;
  return FALSE;
}

/* --- dsq-pickle-machine.c. Functions that return a gboolean set the fault when it is FALSE. --- */

void dsq_pickle_machine_init (DsqPickleMachine *self, const guint8 *bytes, guint32 length);
void dsq_pickle_machine_clear (DsqPickleMachine *self);

void dsq_pickle_push_value (DsqPickleMachine *self, DsqPickleValue value);
static inline void
dsq_pickle_push (DsqPickleMachine *self, DsqPickleKind kind, guint32 index, guint32 length)
{
  const DsqPickleValue value = { (guint8) kind, FALSE, index, length };

  if (G_LIKELY (self->stack.n < self->stack.room))
    self->stack.at[self->stack.n++] = value;
  else
    dsq_pickle_push_value (self, value);
}

gboolean dsq_pickle_pop (DsqPickleMachine *self, DsqPickleValue *out);
/* The value on top, which stays; NULL: there is none. */
DsqPickleValue *dsq_pickle_top (DsqPickleMachine *self);

void dsq_pickle_push_mark (DsqPickleMachine *self);
gboolean dsq_pickle_pop_mark (DsqPickleMachine *self);  /* and all above it */
gboolean dsq_pickle_discard (DsqPickleMachine *self);   /* POP */
gboolean dsq_pickle_duplicate (DsqPickleMachine *self); /* DUP */

gboolean dsq_pickle_put (DsqPickleMachine *self, guint64 index);
gboolean dsq_pickle_memoize (DsqPickleMachine *self);
gboolean dsq_pickle_get (DsqPickleMachine *self, guint64 index);

/* A new node, without pushing it. */
guint32 dsq_pickle_add_node (DsqPickleMachine *self, DsqPickleKind kind);
/* @value becomes part of @node. */
gboolean
dsq_pickle_hold (DsqPickleMachine *self, guint32 node, DsqPickleValue value, DsqPickleRole role);

/* @n_keys of those of a node have been, or will be, looked for among the others. */
void dsq_pickle_count_pairs (DsqPickleMachine *self, const DsqPickleNode *node, guint32 n_keys);

/* The opcodes of containers. The last argument is how many values are taken; G_MAXUINT32: those
 * above the mark. */
gboolean dsq_pickle_make (DsqPickleMachine *self, DsqPickleKind kind, guint32 n_values);
gboolean dsq_pickle_fill (DsqPickleMachine *self, DsqPickleKind kind, guint32 n_values);

/* The kind of a value as a letter of a signature. */
char dsq_pickle_letter (DsqPickleKind kind);

extern const char dsq_pickle_heavy_keys[]; /* the fault where keys are too heavy */

G_END_DECLS
