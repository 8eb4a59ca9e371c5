/* dsq-pickle-machine-private.h - the state of a pickle that is looked through
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The bounds of what is accepted; docs/safe-pickle.md tells them to users. */
#define DSQ_PICKLE_MAX_DEPTH  1000
#define DSQ_PICKLE_MAX_DIGITS 4300  /* of a number written as text, as Python itself has it */
#define DSQ_PICKLE_HUGE       4096  /* bytes beyond which an integer is told apart */
#define DSQ_PICKLE_MAX_NAMES  65536 /* different imports and kinds of calls */
#define DSQ_PICKLE_SIG_LENGTH 8     /* arguments of a call that are told one by one */

#define DSQ_PICKLE_MAX_COMPARISONS (1 << 22) /* of keys that hash alike */

/* Weights: 1 for each value and 1 for each 64 bytes of it. */
#define DSQ_PICKLE_MAX_WEIGHT(length)     (((guint64) 1 << 26) + 64 * (guint64) (length))
#define DSQ_PICKLE_MAX_KEY_WEIGHT(length) (((guint64) 1 << 20) + 16 * (guint64) (length))

/* What is known of a value. From DSQ_PICKLE_LIST on it has a node. */
typedef enum
{
  DSQ_PICKLE_UNSET, /* in the memo: nothing was put there */
  DSQ_PICKLE_NONE,
  DSQ_PICKLE_BOOLEAN,
  DSQ_PICKLE_INTEGER, /* of less than 24 bits */
  DSQ_PICKLE_BIG_INTEGER,
  DSQ_PICKLE_HUGE_INTEGER, /* of more than 4 KiB */
  DSQ_PICKLE_FLOAT,
  DSQ_PICKLE_STRING, /* its UTF-8 stands in the pickle as it is */
  DSQ_PICKLE_TEXT,   /* a string that is told otherwise */
  DSQ_PICKLE_BYTES,
  DSQ_PICKLE_BYTEARRAY,
  DSQ_PICKLE_EMPTY_TUPLE,
  DSQ_PICKLE_GLOBAL, /* what an import gave */
  DSQ_PICKLE_MEMBER, /* what builtins.getattr (import, "name") gave, or several joined */
  DSQ_PICKLE_LIST,
  DSQ_PICKLE_DICT,
  DSQ_PICKLE_SET,
  DSQ_PICKLE_FROZENSET,
  DSQ_PICKLE_TUPLE,
  DSQ_PICKLE_INSTANCE, /* what a call gave */
} DsqPickleKind;

typedef struct
{
  guint8 kind;    /* DsqPickleKind */
  guint8 is_copy; /* it came out of the memo: somebody else may hold it */
  guint32 index;  /* of a node, import or call; of a string its offset */
  guint32 length; /* bytes of a string, of bytes and of an integer */
} DsqPickleValue;

enum
{
  DSQ_PICKLE_NODE_DUNDER_KEYS = 1, /* a dict: has a key like "__class__" */
  DSQ_PICKLE_NODE_OTHER_KEYS = 2,  /* a dict: has a key that is not a literal string */
  DSQ_PICKLE_NODE_BUILT = 4,       /* an instance: has its state */
};

/* A container or an instance. */
typedef struct
{
  guint64 weight; /* its own and that of the values in it that have no node */
  guint32 edges;  /* of values in it that have one: 1 + the last's index, or 0 */
  guint32 items;  /* a tuple: its first values in the arena; an instance: its call */
  guint32 n_items;
  guint32 rest; /* a tuple: kinds of the values that are not in the arena, as bits */
  guint16 depth;
  guint8 kind;
  guint8 flags;
} DsqPickleNode;

typedef struct
{
  guint32 child : 31;
  guint32 is_key : 1;
  guint32 next; /* 1 + the index of the one before, or 0 */
} DsqPickleEdge;

/* An array that begins on the caller's stack and moves to the heap when it grows. */
#define DSQ_PICKLE_ARRAY(type, n_first)                                                            \
  struct                                                                                           \
  {                                                                                                \
    type *at;                                                                                      \
    guint32 n;                                                                                     \
    guint32 room;                                                                                  \
    type first[n_first];                                                                           \
  }

/* An integer that is a key. */
typedef struct
{
  guint64 remainder;
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
  guint64 key_weight;   /* of keys: as they come of those without a node, at the end of others */
  guint64 call_weight;  /* of what goes to calls, at the end */
  const char *fault;    /* (unowned) (nullable) */
  guint32 fault_import; /* 1 + the index of the import that the fault is about, or 0 */
  guint32 memo_count;   /* entries that are set, which MEMOIZE counts by */

  DSQ_PICKLE_ARRAY (DsqPickleValue, 24) stack;
  DSQ_PICKLE_ARRAY (DsqPickleValue, 24) memo;
  DSQ_PICKLE_ARRAY (DsqPickleValue, 16) arena; /* values of tuples */
  DSQ_PICKLE_ARRAY (guint32, 16) marks;        /* heights of the stack */
  DSQ_PICKLE_ARRAY (DsqPickleNode, 12) nodes;
  DSQ_PICKLE_ARRAY (DsqPickleEdge, 12) edges;
  GArray *keys;          /* (owned) (nullable) of DsqPickleKey */
  DsqPickleCalls *calls; /* (owned) (nullable) */
} DsqPickleMachine;

/* FALSE; the first fault stands. */
static inline gboolean
dsq_pickle_fail (DsqPickleMachine *self, const char *fault)
{
  if (self->fault == NULL)
    self->fault = fault;
  return FALSE;
}

/* --- dsq-pickle-machine.c. Functions that return a gboolean set the fault when it is FALSE. --- */

void dsq_pickle_machine_init (DsqPickleMachine *self, const guint8 *bytes, guint32 length);
void dsq_pickle_machine_clear (DsqPickleMachine *self);

void dsq_pickle_push (DsqPickleMachine *self, DsqPickleKind kind, guint32 index, guint32 length);
void dsq_pickle_push_value (DsqPickleMachine *self, DsqPickleValue value);
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
dsq_pickle_hold (DsqPickleMachine *self, guint32 node, DsqPickleValue value, gboolean is_key);

/* The opcodes of containers. The last argument is how many values are taken; G_MAXUINT32: those
 * above the mark. */
gboolean dsq_pickle_make (DsqPickleMachine *self, DsqPickleKind kind, guint32 n_values);
gboolean dsq_pickle_fill (DsqPickleMachine *self, DsqPickleKind kind, guint32 n_values);

/* The kind of a value as a letter of a signature. */
char dsq_pickle_letter (DsqPickleKind kind);

/* --- dsq-pickle-graph.c ----------------------------------------------------------------------- */

extern const char dsq_pickle_heavy_keys[]; /* the fault where that is the weight of keys */

/* Whether depth, weight and the weight of keys are within bounds where nodes are shared. */
gboolean dsq_pickle_weigh (DsqPickleMachine *self);

/* --- dsq-pickle-keys.c ------------------------------------------------------------------------ */

/* @key was put into the container @node. */
void dsq_pickle_note_key (DsqPickleMachine *self, guint32 node, DsqPickleValue key);
/* Whether few enough of them hash alike. */
gboolean dsq_pickle_count_keys (DsqPickleMachine *self);

G_END_DECLS
