/* dsq-pickle-calls.c - what a pickle imports, and what it does with that
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-utf8-private.h"
#include "pickle/dsq-pickle-calls-private.h"
#include "pickle/dsq-pickle-notes-private.h"

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
} DsqPickleMeaning;

/* --- imports ---------------------------------------------------------------------------------- */

static gboolean
name_is (DsqPickleName name, const char *text)
{
  return name.length == strlen (text) && memcmp (name.bytes, text, name.length) == 0;
}

static DsqPickleMeaning
meaning_of (const DsqPickleImport *import)
{
  static const struct
  {
    const char *module;
    const char *name;
    DsqPickleMeaning meaning;
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
  DsqPickleImport import = { .module = { self->bytes + module_at, module_length },
                             .name = { self->bytes + name_at, name_length },
                             .offset = self->op_at };
  guint32 index;

  if (!dsq_utf8_validate (import.module.bytes, module_length) ||
      !dsq_utf8_validate (import.name.bytes, name_length))
    return dsq_pickle_fail (self, "a name is not UTF-8");
  import.meaning = (guint8) meaning_of (&import);
  if (!dsq_pickle_note_import (self, &import, &index))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_GLOBAL, index, 0);
  return TRUE;
}

/* --- calls ------------------------------------------------------------------------------------ */

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

/* An instance that @call gives, made of @arguments. */
static gboolean
push_instance (DsqPickleMachine *self, DsqPickleCall *call, DsqPickleValue arguments)
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
  if (!dsq_pickle_note_call (self, call, &index))
    return FALSE;
  dsq_pickle_call_at (self, index)->flags |= call->flags;

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
  DsqPickleCall call = { .op = 'M',
                         .import = items[0].index,
                         .member = { self->bytes + items[1].index, items[1].length },
                         .offset = self->op_at };
  guint32 index;

  if (!dsq_utf8_validate (call.member.bytes, call.member.length))
    return dsq_pickle_fail (self, "a name is not UTF-8");
  if (!dsq_pickle_note_call (self, &call, &index))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_MEMBER, index, 0);
  return TRUE;
}

/* Whether the call is one of the four that are looked into, and then does it. */
static gboolean
call_known (DsqPickleMachine *self, const DsqPickleImport *import, DsqPickleValue arguments)
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
          dsq_pickle_call_at (self, items[0].index)->import !=
              dsq_pickle_call_at (self, items[1].index)->import)
        return FALSE;
      dsq_pickle_push (self, DSQ_PICKLE_MEMBER, items[0].index, 0);
      return TRUE;
    case RECONSTRUCTOR:
      {
        DsqPickleCall call = { .op = 'O', .offset = self->op_at };

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
          !name_is ((DsqPickleName){ self->bytes + items[1].index, items[1].length }, "latin1"))
        return FALSE;
      dsq_pickle_push (self, DSQ_PICKLE_BYTES, 0, items[0].length);
      return TRUE;
    default:
      return FALSE;
    }
}

/* The keywords of NEWOBJ_EX: a dict made here, of literal keys. */
static gboolean
take_keywords (DsqPickleMachine *self, DsqPickleCall *call)
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
    call->flags |= DSQ_PICKLE_CALL_KEYWORDS;
  return TRUE;
}

gboolean
dsq_pickle_call (DsqPickleMachine *self, char op)
{
  DsqPickleCall call = { .op = op, .offset = self->op_at };
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
      const DsqPickleCall *member = dsq_pickle_call_at (self, callable.index);

      call.op = 'A';
      call.import = member->import;
      call.member = member->member;
    }
  else if (callable.kind != DSQ_PICKLE_GLOBAL)
    return dsq_pickle_fail_with (self, callable, "it calls what it does not name");
  else
    {
      if (op == 'R' && call_known (self, dsq_pickle_import_at (self, callable.index), arguments))
        {
          dsq_pickle_import_at (self, callable.index)->uses |= DSQ_PICKLE_USED_IN_KNOWN_CALL;
          return TRUE;
        }
      if (self->fault != NULL)
        return FALSE;
      call.import = callable.index;
    }
  return push_instance (self, &call, arguments);
}

/* --- what is done to an instance -------------------------------------------------------------- */

/* DSQ_PICKLE_CALL_STATE_ flags of a dict, or of None. */
static guint8
judge_dict (DsqPickleMachine *self, DsqPickleValue value)
{
  if (value.kind == DSQ_PICKLE_NONE)
    return 0;
  if (value.kind != DSQ_PICKLE_DICT)
    return DSQ_PICKLE_CALL_STATE_OPAQUE;
  return (self->nodes.at[value.index].flags &
          (DSQ_PICKLE_NODE_DUNDER_KEYS | DSQ_PICKLE_NODE_OTHER_KEYS)) != 0
             ? DSQ_PICKLE_CALL_STATE_DUNDER
             : 0;
}

static guint8
judge_state (DsqPickleMachine *self, DsqPickleValue state)
{
  guint32 n;
  const DsqPickleValue *items;

  if (state.kind != DSQ_PICKLE_TUPLE)
    return state.kind == DSQ_PICKLE_NONE ? DSQ_PICKLE_CALL_STATE_OPAQUE : judge_dict (self, state);
  items = items_of (self, state, &n);
  if (n != 2)
    return DSQ_PICKLE_CALL_STATE_OPAQUE;
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
  if (target == NULL)
    return dsq_pickle_fail (self, "it takes a value that is not there");
  if (target->kind != DSQ_PICKLE_INSTANCE)
    return dsq_pickle_fail_with (self,
                                 *target,
                                 "it sets the state of what is no instance made in it");
  node = &self->nodes.at[target->index];
  if ((node->flags & DSQ_PICKLE_NODE_BUILT) != 0)
    return dsq_pickle_fail_with (self, *target, "it sets the state of an instance twice");
  node->flags |= DSQ_PICKLE_NODE_BUILT;
  dsq_pickle_call_at (self, node->items)->flags |=
      DSQ_PICKLE_CALL_BUILT | judge_state (self, state);
  return dsq_pickle_hold (self, target->index, state, FALSE);
}
