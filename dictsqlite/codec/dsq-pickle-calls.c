/* dsq-pickle-calls.c - what a pickle imports, and what it does with that
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-pack-private.h"
#include "codec/dsq-pickle-machine-private.h"
#include "codec/dsq-utf8-private.h"

/*
 * Only what was imported by a name that stands in the pickle may be called. What a call gives is an
 * instance, whatever the call was, and an instance is never called. So every call is an import with
 * the kinds of its arguments, its signature, and a list of those is all that a loader must judge.
 * Equal calls are told once, however many there are.
 *
 * Four calls are looked into, since how Python pickles ordinary values depends on them:
 *
 *   builtins.getattr (import, "name")              a member, as of an enumeration
 *   _operator.or_ (member, member)                 members of one import joined, as flags
 *   copyreg._reconstructor (import, import, None)  an instance of the first, on the second
 *   _codecs.encode (string, "latin1")              bytes, in protocols 0 to 2
 *
 * Of anything else they are calls like any other.
 */

typedef enum
{
  PLAIN,
  GETATTR,
  OR,
  RECONSTRUCTOR,
  ENCODE
} Meaning;

enum
{
  USED_AS_VALUE = 1,
  USED_IN_KNOWN_CALL = 2,
};

/* A piece of the pickle. */
typedef struct
{
  const guint8 *bytes; /* (unowned) */
  guint32 length;
} Name;

typedef struct
{
  Name module;
  Name name;
  guint32 offset; /* of the first opcode that imports it */
  guint8 uses;
  guint8 meaning;
} Import;

enum
{
  CALL_BUILT = 1,        /* BUILD gave an instance its state */
  CALL_STATE_DUNDER = 2, /* with a key like "__class__" in it, or one that is not literal */
  CALL_STATE_OPAQUE = 4, /* which is neither a dict nor (None or a dict, a dict) */
  CALL_LIST = 8,         /* items were appended */
  CALL_DICT = 16,        /* items were set */
  CALL_SET = 32,         /* items were added */
  CALL_KEYWORDS = 64,    /* NEWOBJ_EX with keywords */
  CALL_IS_VALUE = 128,   /* a member that is used otherwise than by calling it */
};

/* A kind of call: what comes before @flags tells one from another. */
typedef struct
{
  char op;        /* R, N, X: as the opcodes; M: a member; A: it is called; O: _reconstructor */
  guint32 import; /* index of what is called */
  guint32 base;   /* O: index of the base */
  Name member;    /* M, A: its name */
  guint32 n_arguments;
  guint32 rest; /* kinds of the arguments that the signature has no place for, as bits */
  char signature[DSQ_PICKLE_SIG_LENGTH];
  guint8 flags;
  guint32 offset; /* of the first */
} Call;

struct _DsqPickleCalls
{
  GPtrArray *imports;     /* (owned) of Import (owned) */
  GPtrArray *calls;       /* (owned) of Call (owned) */
  GHashTable *import_set; /* (owned) of the same, to their index */
  GHashTable *call_set;   /* (owned) likewise */
};

static const char too_many[] = "it imports and calls too many different things";

/* --- the sets -----------------------------------------------------------------------------------
 */

static guint
hash_bytes (guint hash, const void *bytes, gsize length)
{
  const guint8 *at = bytes;

  while (length-- > 0)
    hash = (hash ^ *at++) * 16777619u;
  return hash;
}

static gboolean
names_equal (Name a, Name b)
{
  return a.length == b.length && (a.length == 0 || memcmp (a.bytes, b.bytes, a.length) == 0);
}

static gboolean
name_is (Name name, const char *text)
{
  return name.length == strlen (text) && memcmp (name.bytes, text, name.length) == 0;
}

static guint
import_hash (gconstpointer data)
{
  const Import *import = data;
  guint hash = hash_bytes (import->module.length, import->module.bytes, import->module.length);

  return hash_bytes (hash, import->name.bytes, import->name.length);
}

static gboolean
import_equal (gconstpointer a, gconstpointer b)
{
  const Import *one = a;
  const Import *other = b;

  return names_equal (one->module, other->module) && names_equal (one->name, other->name);
}

static guint
call_hash (gconstpointer data)
{
  const Call *call = data;
  guint hash = call->import * 31 + call->n_arguments + (guint) call->op * 1009 + call->rest;

  hash = hash_bytes (hash, call->signature, sizeof call->signature);
  return hash_bytes (hash, call->member.bytes, call->member.length);
}

static gboolean
call_equal (gconstpointer a, gconstpointer b)
{
  const Call *one = a;
  const Call *other = b;

  return one->op == other->op && one->import == other->import && one->base == other->base &&
         one->n_arguments == other->n_arguments && one->rest == other->rest &&
         memcmp (one->signature, other->signature, sizeof one->signature) == 0 &&
         names_equal (one->member, other->member);
}

static DsqPickleCalls *
calls_of (DsqPickleMachine *self)
{
  if (self->calls == NULL)
    {
      self->calls = g_new (DsqPickleCalls, 1);
      self->calls->imports = g_ptr_array_new_with_free_func (g_free);
      self->calls->calls = g_ptr_array_new_with_free_func (g_free);
      self->calls->import_set = g_hash_table_new (import_hash, import_equal);
      self->calls->call_set = g_hash_table_new (call_hash, call_equal);
    }
  return self->calls;
}

void
dsq_pickle_calls_free (DsqPickleCalls *calls)
{
  g_hash_table_unref (calls->import_set);
  g_hash_table_unref (calls->call_set);
  g_ptr_array_unref (calls->imports);
  g_ptr_array_unref (calls->calls);
  g_free (calls);
}

/* The index of what equals @item in @set, which gets a copy of it if there is none. */
static gboolean
intern (DsqPickleMachine *self,
        GHashTable *set,
        GPtrArray *array,
        gconstpointer item,
        gsize size,
        guint32 *out)
{
  gpointer found;
  gpointer added;

  if (g_hash_table_lookup_extended (set, item, NULL, &found))
    {
      *out = GPOINTER_TO_UINT (found);
      return TRUE;
    }
  if (array->len == DSQ_PICKLE_MAX_NAMES)
    return dsq_pickle_fail (self, too_many);
  added = g_memdup2 (item, size);
  *out = array->len;
  g_ptr_array_add (array, added);
  g_hash_table_insert (set, added, GUINT_TO_POINTER (*out));
  return TRUE;
}

static Import *
import_at (DsqPickleMachine *self, guint32 index)
{
  return self->calls->imports->pdata[index];
}

static Call *
call_at (DsqPickleMachine *self, guint32 index)
{
  return self->calls->calls->pdata[index];
}

/* --- imports ------------------------------------------------------------------------------------
 */

static Meaning
meaning_of (const Import *import)
{
  static const struct
  {
    const char *module;
    const char *name;
    Meaning meaning;
  } meanings[] = {
    { "builtins", "getattr", GETATTR },
    { "__builtin__", "getattr", GETATTR },
    { "_operator", "or_", OR },
    { "copyreg", "_reconstructor", RECONSTRUCTOR },
    { "copy_reg", "_reconstructor", RECONSTRUCTOR },
    { "_codecs", "encode", ENCODE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (meanings); i++)
    if (name_is (import->module, meanings[i].module) && name_is (import->name, meanings[i].name))
      return meanings[i].meaning;
  return PLAIN;
}

gboolean
dsq_pickle_import (DsqPickleMachine *self,
                   guint32 module_at,
                   guint32 module_length,
                   guint32 name_at,
                   guint32 name_length)
{
  DsqPickleCalls *calls = calls_of (self);
  Import import = { .module = { self->bytes + module_at, module_length },
                    .name = { self->bytes + name_at, name_length },
                    .offset = self->op_at };
  guint32 index;

  if (!dsq_utf8_validate (import.module.bytes, module_length) ||
      !dsq_utf8_validate (import.name.bytes, name_length))
    return dsq_pickle_fail (self, "a name is not UTF-8");
  import.meaning = (guint8) meaning_of (&import);
  if (!intern (self, calls->import_set, calls->imports, &import, sizeof import, &index))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_GLOBAL, index, 0);
  return TRUE;
}

void
dsq_pickle_use (DsqPickleMachine *self, DsqPickleValue value)
{
  if (value.kind == DSQ_PICKLE_GLOBAL)
    import_at (self, value.index)->uses |= USED_AS_VALUE;
  else if (value.kind == DSQ_PICKLE_MEMBER)
    call_at (self, value.index)->flags |= CALL_IS_VALUE;
}

/* --- calls --------------------------------------------------------------------------------------
 */

/* The values of the tuple @arguments that are known one by one. */
static const DsqPickleValue *
items_of (DsqPickleMachine *self, DsqPickleValue arguments, guint32 *out_n)
{
  if (arguments.kind == DSQ_PICKLE_EMPTY_TUPLE)
    {
      *out_n = 0;
      return NULL;
    }
  *out_n = self->nodes.at[arguments.index].n_items;
  return self->arena.at + self->nodes.at[arguments.index].items;
}

static gboolean
add_call (DsqPickleMachine *self, const Call *call, guint32 *out)
{
  return intern (self, self->calls->call_set, self->calls->calls, call, sizeof *call, out);
}

/* An instance that @call gives, made of @arguments. */
static gboolean
push_instance (DsqPickleMachine *self, Call *call, DsqPickleValue arguments)
{
  guint32 n_items;
  const DsqPickleValue *items = items_of (self, arguments, &n_items);
  guint32 index;
  guint32 node;

  call->n_arguments = MIN (n_items, DSQ_PICKLE_SIG_LENGTH + 1);
  for (guint32 i = 0; i < MIN (n_items, DSQ_PICKLE_SIG_LENGTH); i++)
    call->signature[i] = dsq_pickle_letter (items[i].kind);
  if (n_items > DSQ_PICKLE_SIG_LENGTH)
    call->rest = self->nodes.at[arguments.index].rest;
  if (!add_call (self, call, &index))
    return FALSE;
  call_at (self, index)->flags |= call->flags;

  node = dsq_pickle_add_node (self, DSQ_PICKLE_INSTANCE);
  self->nodes.at[node].items = index;
  if (!dsq_pickle_hold (self, node, arguments, FALSE))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_INSTANCE, node, 0);
  return TRUE;
}

/* builtins.getattr (import, "name"): its result has a name as an import has. */
static gboolean
call_getattr (DsqPickleMachine *self, const DsqPickleValue *items)
{
  Call call = { .op = 'M',
                .import = items[0].index,
                .member = { self->bytes + items[1].index, items[1].length },
                .offset = self->op_at };
  guint32 index;

  if (!dsq_utf8_validate (call.member.bytes, call.member.length))
    return dsq_pickle_fail (self, "a name is not UTF-8");
  if (!add_call (self, &call, &index))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_MEMBER, index, 0);
  return TRUE;
}

/* Whether the call is one of the four that are looked into, and then does it. */
static gboolean
call_known (DsqPickleMachine *self, const Import *import, DsqPickleValue arguments)
{
  guint32 n;
  const DsqPickleValue *items = items_of (self, arguments, &n);

  switch (import->meaning)
    {
    case GETATTR:
      return n == 2 && items[0].kind == DSQ_PICKLE_GLOBAL && items[1].kind == DSQ_PICKLE_STRING &&
             call_getattr (self, items);
    case OR:
      if (n != 2 || items[0].kind != DSQ_PICKLE_MEMBER || items[1].kind != DSQ_PICKLE_MEMBER ||
          call_at (self, items[0].index)->import != call_at (self, items[1].index)->import)
        return FALSE;
      dsq_pickle_push (self, DSQ_PICKLE_MEMBER, items[0].index, 0);
      return TRUE;
    case RECONSTRUCTOR:
      {
        Call call = { .op = 'O', .offset = self->op_at };

        if (n != 3 || items[0].kind != DSQ_PICKLE_GLOBAL || items[1].kind != DSQ_PICKLE_GLOBAL ||
            items[2].kind != DSQ_PICKLE_NONE)
          return FALSE;
        call.import = items[0].index;
        call.base = items[1].index;
        return push_instance (self, &call, arguments);
      }
    case ENCODE:
      if (n != 2 || (items[0].kind != DSQ_PICKLE_STRING && items[0].kind != DSQ_PICKLE_TEXT) ||
          items[1].kind != DSQ_PICKLE_STRING ||
          !name_is ((Name){ self->bytes + items[1].index, items[1].length }, "latin1"))
        return FALSE;
      dsq_pickle_push (self, DSQ_PICKLE_BYTES, 0, items[0].length);
      return TRUE;
    default:
      return FALSE;
    }
}

/* The keywords of NEWOBJ_EX: a dict made here, of literal keys. */
static gboolean
take_keywords (DsqPickleMachine *self, Call *call)
{
  DsqPickleValue keywords;
  const DsqPickleNode *node;

  if (!dsq_pickle_pop (self, &keywords))
    return FALSE;
  if (keywords.kind != DSQ_PICKLE_DICT)
    return dsq_pickle_fail (self, "the keywords of a call are no dict");
  node = &self->nodes.at[keywords.index];
  if ((node->flags & DSQ_PICKLE_NODE_OTHER_KEYS) != 0)
    return dsq_pickle_fail (self, "a keyword of a call is no string");
  if (node->weight > 1 || node->edges != 0)
    call->flags |= CALL_KEYWORDS;
  return TRUE;
}

gboolean
dsq_pickle_call (DsqPickleMachine *self, char op)
{
  Call call = { .op = op, .offset = self->op_at };
  DsqPickleValue arguments;
  DsqPickleValue callable;

  if (op == 'X' && !take_keywords (self, &call))
    return FALSE;
  if (!dsq_pickle_pop (self, &arguments) || !dsq_pickle_pop (self, &callable))
    return FALSE;
  if (arguments.kind != DSQ_PICKLE_TUPLE && arguments.kind != DSQ_PICKLE_EMPTY_TUPLE)
    return dsq_pickle_fail (self, "the arguments of a call are no tuple");

  if (callable.kind == DSQ_PICKLE_MEMBER && op == 'R')
    {
      const Call *member = call_at (self, callable.index);

      call.op = 'A';
      call.import = member->import;
      call.member = member->member;
    }
  else if (callable.kind != DSQ_PICKLE_GLOBAL)
    return dsq_pickle_fail (self, "it calls what it does not name");
  else
    {
      if (op == 'R' && call_known (self, import_at (self, callable.index), arguments))
        {
          import_at (self, callable.index)->uses |= USED_IN_KNOWN_CALL;
          return TRUE;
        }
      if (self->fault != NULL)
        return FALSE;
      call.import = callable.index;
    }
  return push_instance (self, &call, arguments);
}

/* --- what is done to an instance ----------------------------------------------------------------
 */

/* CALL_STATE_ flags of a dict, or of None. */
static guint8
judge_dict (DsqPickleMachine *self, DsqPickleValue value)
{
  if (value.kind == DSQ_PICKLE_NONE)
    return 0;
  if (value.kind != DSQ_PICKLE_DICT)
    return CALL_STATE_OPAQUE;
  return (self->nodes.at[value.index].flags &
          (DSQ_PICKLE_NODE_DUNDER_KEYS | DSQ_PICKLE_NODE_OTHER_KEYS)) != 0
             ? CALL_STATE_DUNDER
             : 0;
}

static guint8
judge_state (DsqPickleMachine *self, DsqPickleValue state)
{
  guint32 n;
  const DsqPickleValue *items;

  if (state.kind != DSQ_PICKLE_TUPLE)
    return state.kind == DSQ_PICKLE_NONE ? CALL_STATE_OPAQUE : judge_dict (self, state);
  items = items_of (self, state, &n);
  if (n != 2)
    return CALL_STATE_OPAQUE;
  return judge_dict (self, items[0]) | judge_dict (self, items[1]);
}

gboolean
dsq_pickle_build (DsqPickleMachine *self)
{
  DsqPickleValue state;
  const DsqPickleValue *target;
  DsqPickleNode *node;

  if (!dsq_pickle_pop (self, &state))
    return FALSE;
  target = dsq_pickle_top (self);
  if (target == NULL || target->kind != DSQ_PICKLE_INSTANCE)
    return dsq_pickle_fail (self, "it sets the state of what is no instance made in it");
  node = &self->nodes.at[target->index];
  if ((node->flags & DSQ_PICKLE_NODE_BUILT) != 0)
    return dsq_pickle_fail (self, "it sets the state of an instance twice");
  node->flags |= DSQ_PICKLE_NODE_BUILT;
  call_at (self, node->items)->flags |= CALL_BUILT | judge_state (self, state);
  return dsq_pickle_hold (self, target->index, state, FALSE);
}

gboolean
dsq_pickle_note_fill (DsqPickleMachine *self, guint32 index, DsqPickleKind kind)
{
  const DsqPickleNode *node = &self->nodes.at[index];

  /* its state may have given it another append() */
  if ((node->flags & DSQ_PICKLE_NODE_BUILT) != 0)
    return dsq_pickle_fail (self, "it adds items to an instance that has its state");
  call_at (self, node->items)->flags |= kind == DSQ_PICKLE_LIST   ? CALL_LIST
                                        : kind == DSQ_PICKLE_DICT ? CALL_DICT
                                                                  : CALL_SET;
  return TRUE;
}

/* --- the report ---------------------------------------------------------------------------------
 */

static void
add_name (DsqPackBuilder *pack, Name name)
{
  dsq_pack_builder_add (pack, name.bytes, name.length);
}

static void
report_call (DsqPackBuilder *pack, const Call *call)
{
  guint8 numbers[10];
  char signature[DSQ_PICKLE_SIG_LENGTH + 33];
  gsize length = MIN (call->n_arguments, DSQ_PICKLE_SIG_LENGTH);

  numbers[0] = (guint8) call->op;
  numbers[1] = call->flags;
  dsq_bytes_store_u32 (numbers + 2, call->import);
  dsq_bytes_store_u32 (numbers + 6, call->base);
  dsq_pack_builder_add (pack, numbers, sizeof numbers);

  memcpy (signature, call->signature, length);
  if (call->n_arguments > DSQ_PICKLE_SIG_LENGTH)
    {
      signature[length++] = '*';
      for (guint kind = 0; kind < 32; kind++)
        if ((call->rest >> kind & 1) != 0)
          signature[length++] = dsq_pickle_letter (kind);
    }
  dsq_pack_builder_add (pack, (const guint8 *) signature, length);
  add_name (pack, call->member);
}

guint8 *
dsq_pickle_report (DsqPickleMachine *self, gsize *out_length, GError **error)
{
  DsqPackBuilder *pack = dsq_pack_builder_new ();
  const GPtrArray *imports = self->calls->imports;
  const GPtrArray *calls = self->calls->calls;
  gsize n_offsets = imports->len + calls->len;
  g_autofree guint8 *packed = NULL;
  gsize packed_length;
  guint8 *report;
  guint8 head[5];

  head[0] = self->protocol;
  dsq_bytes_store_u32 (head + 1, imports->len);
  dsq_pack_builder_add (pack, head, sizeof head);
  for (guint i = 0; i < imports->len; i++)
    {
      const Import *import = imports->pdata[i];

      dsq_pack_builder_add (pack, &import->uses, 1);
      add_name (pack, import->module);
      add_name (pack, import->name);
    }
  for (guint i = 0; i < calls->len; i++)
    report_call (pack, calls->pdata[i]);
  packed = dsq_pack_builder_finish (pack, &packed_length, error);
  if (packed == NULL)
    return NULL;

  /* offsets come behind the pack, so that pickles of one shape have one pack */
  *out_length = sizeof (guint32) * (1 + n_offsets) + packed_length;
  report = g_malloc (*out_length);
  dsq_bytes_store_u32 (report, (guint32) packed_length);
  memcpy (report + sizeof (guint32), packed, packed_length);
  for (guint i = 0; i < n_offsets; i++)
    dsq_bytes_store_u32 (report + sizeof (guint32) * (1 + i) + packed_length,
                         i < imports->len
                             ? ((const Import *) imports->pdata[i])->offset
                             : ((const Call *) calls->pdata[i - imports->len])->offset);
  return report;
}
