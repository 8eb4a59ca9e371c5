/* dsq-pickle-calls-private.h - what is known of a pickle's imports and calls
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

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
};

/* A kind of call: what comes before @flags tells one from another. */
typedef struct
{
  char op;        /* R, N, X: as the opcodes; M: a member; A: it is called; O: _reconstructor */
  guint32 import; /* index of what is called */
  guint32 base;   /* O: index of the base */
  DsqPickleName member; /* M, A: its name */
  guint32 n_arguments;
  guint32 rest; /* kinds of the arguments that the signature has no place for, as bits */
  char signature[DSQ_PICKLE_SIG_LENGTH];
  guint8 flags;
  guint32 offset; /* of the first */
} DsqPickleCall;

struct _DsqPickleCalls
{
  GPtrArray *imports;     /* (owned) of Import (owned) */
  GPtrArray *calls;       /* (owned) of Call (owned) */
  GHashTable *import_set; /* (owned) of the same, to their index */
  GHashTable *call_set;   /* (owned) likewise */
};

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

G_END_DECLS
