/* dsq-pickle-calls-private.h - what is known of a pickle's imports and calls
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "pickle/dsq-pickle-machine-private.h"

G_BEGIN_DECLS

enum
{
  DSQ_PICKLE_USED_AS_VALUE = 1,
  DSQ_PICKLE_USED_IN_KNOWN_CALL = 2,
};

/* A piece of the pickle. */
typedef struct
{
  const guint8 *bytes; /* (unowned) */
  guint32 length;
} DsqPickleName;

typedef struct
{
  DsqPickleName module;
  DsqPickleName name;
  guint32 offset; /* of the first opcode that imports it */
  guint8 uses;
  guint8 meaning;
} DsqPickleImport;

enum
{
  DSQ_PICKLE_CALL_BUILT = 1,        /* BUILD gave an instance its state */
  DSQ_PICKLE_CALL_STATE_DUNDER = 2, /* with a key like "__class__", or not literal */
  DSQ_PICKLE_CALL_STATE_OPAQUE = 4, /* which is neither a dict nor (None or a dict, a dict) */
  DSQ_PICKLE_CALL_LIST = 8,         /* items were appended */
  DSQ_PICKLE_CALL_DICT = 16,        /* items were set */
  DSQ_PICKLE_CALL_SET = 32,         /* items were added */
  DSQ_PICKLE_CALL_KEYWORDS = 64,    /* NEWOBJ_EX with keywords */
  DSQ_PICKLE_CALL_IS_VALUE = 128,   /* a member that is used otherwise than by calling it */
  DSQ_PICKLE_CALL_SLOTS = 256,      /* the second dict of a pair has keys */
  DSQ_PICKLE_CALL_UNNAMED = 512,    /* not all attributes that are set are among the names */
};

/* A kind of call: what comes before @flags tells one from another. */
typedef struct
{
  char op;              /* R, N, X: as the opcodes; M: a member; O: _reconstructor */
  guint32 import;       /* index of what is called */
  guint32 base;         /* O: index of the base */
  DsqPickleName member; /* M: its path within the import; else the member that is called, if any */
  guint32 n_arguments;
  guint32 rest; /* kinds of the arguments that the signature has no place for, as bits */
  char signature[DSQ_PICKLE_SIG_LENGTH];
  guint32 flags;
  guint32 offset; /* of the first */
  guint32 n_instances;
  guint64 given;  /* weight of their arguments, as what may be copied */
  guint64 copied; /* weight of their states */
  guint64 hashed; /* weight of them, as keys */
  GArray
      *names; /* (owned) (nullable) of DsqPickleName: what is set by attribute or told of state */
} DsqPickleCall;

struct _DsqPickleCalls
{
  GPtrArray *imports;     /* (owned) of Import (owned) */
  GPtrArray *calls;       /* (owned) of Call (owned) */
  GHashTable *import_set; /* (owned) of the same, to their index */
  GHashTable *call_set;   /* (owned) likewise */
  GPtrArray *strings;     /* (owned) names that do not stand in the pickle */
  gboolean is_heavy;      /* something is imported that takes more than its arguments */
};

/* In the head of a report, beside the protocol. */
#define DSQ_PICKLE_LOOK_AT_KEYS 0x80

/* What is noted, from now on at least. */
DsqPickleCalls *dsq_pickle_calls_of (DsqPickleMachine *self);

static inline DsqPickleImport *
dsq_pickle_import_at (DsqPickleMachine *self, guint32 index)
{
  return self->calls->imports->pdata[index];
}

static inline DsqPickleCall *
dsq_pickle_call_at (DsqPickleMachine *self, guint32 index)
{
  return self->calls->calls->pdata[index];
}

/* The index of what equals @import or @call, of which a copy is noted if it is new. FALSE, and a
 * fault: there are too many. Calls have an import. */
gboolean
dsq_pickle_note_import (DsqPickleMachine *self, const DsqPickleImport *import, guint32 *out);
gboolean dsq_pickle_note_call (DsqPickleMachine *self, const DsqPickleCall *call, guint32 *out);
/* @name is set on what @call gives, by attribute. */
void dsq_pickle_note_name (DsqPickleCall *call, DsqPickleName name);
/* @text (consumed), which lives as long as the notes do. */
DsqPickleName dsq_pickle_own_name (DsqPickleMachine *self, char *text);

static inline gboolean
dsq_pickle_names_equal (DsqPickleName a, DsqPickleName b)
{
  return a.length == b.length && (a.length == 0 || memcmp (a.bytes, b.bytes, a.length) == 0);
}

G_END_DECLS
