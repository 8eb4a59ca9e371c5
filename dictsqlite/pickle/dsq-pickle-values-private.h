/* dsq-pickle-values-private.h - what is known of a value in a pickle that is looked through
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
#define DSQ_PICKLE_FEW_KEYS   512   /* that may hash alike */
#define DSQ_PICKLE_MAX_STATE  64    /* attributes of an instance that are told by name */

/* Weights: 16 for each value, and the bytes of it. */
#define DSQ_PICKLE_VALUE_WEIGHT           16
#define DSQ_PICKLE_MAX_WEIGHT(length)     (((guint64) 1 << 30) + 1024 * (guint64) (length))
#define DSQ_PICKLE_MAX_KEY_WEIGHT(length) (((guint64) 1 << 24) + 256 * (guint64) (length))
/* of what is copied, and of the containers themselves, in bytes */
#define DSQ_PICKLE_MAX_COPIED(length) (((guint64) 1 << 20) + 16 * (guint64) (length))
#define DSQ_PICKLE_MAX_BUILT(length)  (((guint64) 1 << 20) + 64 * (guint64) (length))
#define DSQ_PICKLE_MAX_STEPS(length)  (((guint64) 1 << 20) + 16 * (guint64) (length))
/* pairs of keys that may be compared, for all that is known here, without being looked at */
#define DSQ_PICKLE_FEW_PAIRS(length) (((guint64) 1 << 18) + 4 * (guint64) (length))

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
  guint32 index;  /* of a node, import or call; of a string its offset, of a number its opcode's */
  guint32 length; /* bytes of a string, of bytes and of a long integer */
} DsqPickleValue;

enum
{
  DSQ_PICKLE_NODE_DUNDER_KEYS = 1,  /* a dict: has a key like "__class__" */
  DSQ_PICKLE_NODE_OTHER_KEYS = 2,   /* a dict: has a key that is not a literal string */
  DSQ_PICKLE_NODE_UNNAMED_KEYS = 4, /* a dict: has keys that are not among its names */
  DSQ_PICKLE_NODE_BUILT = 8,        /* an instance: has its state */
  DSQ_PICKLE_NODE_IS_ARGUMENT = 16, /* a list or tuple: a call was given it */
  DSQ_PICKLE_NODE_INSTANCES = 32,   /* holds what a call gave */
  DSQ_PICKLE_NODE_UNKNOWN = 64,     /* has keys, or items, whose hashes only Python tells */
};

/* A container or an instance. */
typedef struct
{
  guint64 weight;  /* its own and that of the values in it that have no node */
  guint32 edges;   /* of values in it that have one: 1 + the last's index, or 0 */
  guint32 items;   /* a tuple: its values in the arena; an instance: its call; a dict: 1 + the
                    * last of its names, or 0 */
  guint32 n_items; /* a tuple: of its values; a dict: of its names */
  guint32 n_keys;  /* values that were put into it, of a dict keys */
  guint32 n_plain; /* those of them that are strings: nobody can choose how they hash */
  guint16 depth;
  guint8 kind;
  guint8 flags;
} DsqPickleNode;

/* What a value is to the node that holds it. */
typedef enum
{
  DSQ_PICKLE_AS_ITEM,
  DSQ_PICKLE_AS_KEY,
  DSQ_PICKLE_AS_ARGUMENTS, /* of the call that gave the instance */
  DSQ_PICKLE_AS_STATE,
} DsqPickleRole;

typedef struct
{
  guint32 child : 30;
  guint32 role : 2; /* DsqPickleRole */
  guint32 next;     /* 1 + the index of the one before, or 0 */
} DsqPickleEdge;

/* A key of a dict that may become the state of an instance. */
typedef struct
{
  guint32 index; /* its offset */
  guint32 length;
  guint32 next; /* 1 + the index of the one before, or 0 */
} DsqPickleKeyName;

G_END_DECLS
