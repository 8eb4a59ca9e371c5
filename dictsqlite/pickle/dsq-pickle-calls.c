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
 *   builtins.getattr (import, "name")              a member: of an enumeration, or a class in it
 *   _operator.or_ (member, member or int)          members joined, as flags
 *   copyreg._reconstructor (import, import, data)  an instance of the first, on the second
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
  ENCODE,
  HEAVY /* called in passing it takes more memory or time than its arguments tell */
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
    { "collections", "deque", HEAVY },
    { "random", "Random", HEAVY },
    { "re", "_compile", HEAVY },
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
  self->calls->is_heavy |= import.meaning == HEAVY;
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

/* Whether a string is a fraction as fractions.Fraction writes it, of digits that are not too many.
 */
static gboolean
is_fraction (const guint8 *text, guint32 length)
{
  guint32 n_digits = 0;
  guint32 n_numbers = 1;

  for (guint32 i = text[0] == '-'; i < length; i++)
    if (g_ascii_isdigit (text[i]) && n_digits < DSQ_PICKLE_MAX_DIGITS)
      n_digits++;
    else if (text[i] == '/' && n_digits > 0 && n_numbers++ == 1)
      n_digits = 0;
    else
      return FALSE;
  return n_digits > 0;
}

static char
letter_of (const DsqPickleMachine *self, DsqPickleValue value)
{
  if (value.kind == DSQ_PICKLE_STRING && value.length > 0 &&
      is_fraction (self->bytes + value.index, value.length))
    return 'q';
  if ((value.kind == DSQ_PICKLE_LIST || value.kind == DSQ_PICKLE_TUPLE) &&
      (self->nodes.at[value.index].flags & DSQ_PICKLE_NODE_INSTANCES) != 0)
    return value.kind == DSQ_PICKLE_LIST ? 'L' : 'T';
  return dsq_pickle_letter (value.kind);
}

/* A list that a call is given may become a set or a dict there. */
static void
note_argument (DsqPickleMachine *self, DsqPickleValue value)
{
  DsqPickleNode *node;

  if (value.kind != DSQ_PICKLE_LIST && value.kind != DSQ_PICKLE_TUPLE)
    return;
  node = &self->nodes.at[value.index];
  node->flags |= DSQ_PICKLE_NODE_IS_ARGUMENT;
  dsq_pickle_count_pairs (self, node, node->n_keys);
  if (self->fills_late)
    self->n_pairs = G_MAXUINT64;
  if (node->n_keys > DSQ_PICKLE_FEW_KEYS)
    self->has_many = TRUE;
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
    {
      call->signature[i] = letter_of (self, items[i]);
      note_argument (self, items[i]);
    }
  for (guint32 i = DSQ_PICKLE_SIG_LENGTH; i < n_items; i++)
    {
      call->rest |= (guint32) 1 << items[i].kind;
      note_argument (self, items[i]);
    }
  if (!dsq_pickle_note_call (self, call, &index))
    return FALSE;
  dsq_pickle_call_at (self, index)->flags |= call->flags;
  dsq_pickle_call_at (self, index)->n_instances++;

  node = dsq_pickle_add_node (self, DSQ_PICKLE_INSTANCE);
  self->nodes.at[node].items = index;
  if (!dsq_pickle_hold (self, node, arguments, DSQ_PICKLE_AS_ARGUMENTS))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_INSTANCE, node, 0);
  return TRUE;
}

/* builtins.getattr (import, "name"): its result has a name as an import has; and so has a member of
 * that. */
static gboolean
call_getattr (DsqPickleMachine *self, const DsqPickleValue *items)
{
  DsqPickleCall call = { .op = 'M',
                         .import = items[0].index,
                         .member = { self->bytes + items[1].index, items[1].length },
                         .offset = self->op_at };
  guint32 index;

  if (!dsq_utf8_validate (call.member.bytes, call.member.length) ||
      memchr (call.member.bytes, '\0', call.member.length) != NULL ||
      memchr (call.member.bytes, '.', call.member.length) != NULL)
    return dsq_pickle_fail (self, "a name is no name");
  if (items[0].kind == DSQ_PICKLE_MEMBER)
    {
      const DsqPickleCall *holder = dsq_pickle_call_at (self, items[0].index);

      if (holder->member.length > G_MAXUINT16)
        return dsq_pickle_fail (self, "a name is no name");
      call.import = holder->import;
      call.member = dsq_pickle_own_name (self,
                                         g_strdup_printf ("%.*s.%.*s",
                                                          (int) holder->member.length,
                                                          (const char *) holder->member.bytes,
                                                          (int) call.member.length,
                                                          (const char *) call.member.bytes));
    }
  if (!dsq_pickle_note_call (self, &call, &index))
    return FALSE;
  dsq_pickle_push (self, DSQ_PICKLE_MEMBER, index, 0);
  return TRUE;
}

/* copyreg._reconstructor (class, base, data), where each is what it may be. */
static gboolean
call_reconstructor (DsqPickleMachine *self, const DsqPickleValue *items, DsqPickleValue arguments)
{
  DsqPickleCall call = { .op = 'O', .import = items[0].index, .offset = self->op_at };

  call.base = items[1].index;
  if (items[0].kind == DSQ_PICKLE_MEMBER)
    {
      call.import = dsq_pickle_call_at (self, items[0].index)->import;
      call.member = dsq_pickle_call_at (self, items[0].index)->member;
    }
  return push_instance (self, &call, arguments);
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
      return n == 2 && (items[0].kind == DSQ_PICKLE_GLOBAL || items[0].kind == DSQ_PICKLE_MEMBER) &&
             items[1].kind == DSQ_PICKLE_STRING && call_getattr (self, items);
    case OR:
      if (n != 2 || items[0].kind != DSQ_PICKLE_MEMBER ||
          (items[1].kind != DSQ_PICKLE_MEMBER && items[1].kind != DSQ_PICKLE_INTEGER &&
           items[1].kind != DSQ_PICKLE_BIG_INTEGER))
        return FALSE;
      dsq_pickle_push (self, DSQ_PICKLE_MEMBER, items[0].index, 0);
      return TRUE;
    case RECONSTRUCTOR:
      return n == 3 && (items[0].kind == DSQ_PICKLE_GLOBAL || items[0].kind == DSQ_PICKLE_MEMBER) &&
             items[1].kind == DSQ_PICKLE_GLOBAL && call_reconstructor (self, items, arguments);
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
  if (node->weight > DSQ_PICKLE_VALUE_WEIGHT) /* which each name adds to */
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

  if (callable.kind == DSQ_PICKLE_MEMBER)
    {
      const DsqPickleCall *member = dsq_pickle_call_at (self, callable.index);

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

/* DSQ_PICKLE_CALL_STATE_DUNDER, where a dict has such keys. */
static guint32
judge_dict (DsqPickleMachine *self, DsqPickleValue value)
{
  return value.kind == DSQ_PICKLE_DICT &&
                 (self->nodes.at[value.index].flags &
                  (DSQ_PICKLE_NODE_DUNDER_KEYS | DSQ_PICKLE_NODE_OTHER_KEYS)) != 0
             ? DSQ_PICKLE_CALL_STATE_DUNDER
             : 0;
}

/* The letters of a state that is a tuple, as of a call's arguments. */
static void
note_letters (DsqPickleMachine *self, DsqPickleCall *call, DsqPickleValue state)
{
  guint32 n;
  const DsqPickleValue *items = items_of (self, state, &n);
  char *letters = g_malloc0 (DSQ_PICKLE_SIG_LENGTH + 3);

  letters[0] = '(';
  for (guint32 i = 0; i < MIN (n, DSQ_PICKLE_SIG_LENGTH); i++)
    letters[1 + i] = letter_of (self, items[i]);
  if (n > DSQ_PICKLE_SIG_LENGTH)
    letters[1 + DSQ_PICKLE_SIG_LENGTH] = '*';
  dsq_pickle_note_name (call, dsq_pickle_own_name (self, letters));
}

/* The keys of a dict are set as attributes. */
static void
note_names (DsqPickleMachine *self, DsqPickleCall *call, DsqPickleValue state)
{
  const DsqPickleNode *node = &self->nodes.at[state.index];

  if (state.kind != DSQ_PICKLE_DICT)
    return;
  if ((node->flags & (DSQ_PICKLE_NODE_UNNAMED_KEYS | DSQ_PICKLE_NODE_OTHER_KEYS)) != 0)
    call->flags |= DSQ_PICKLE_CALL_UNNAMED;
  for (guint32 at = node->items; at != 0; at = self->names.at[at - 1].next)
    dsq_pickle_note_name (call,
                          (DsqPickleName){ self->bytes + self->names.at[at - 1].index,
                                           self->names.at[at - 1].length });
}

static gboolean
is_dict_or_none (DsqPickleValue value)
{
  return value.kind == DSQ_PICKLE_DICT || value.kind == DSQ_PICKLE_NONE;
}

/* Of what REDUCE gave, such as an exception, a dict is set by attribute; the second of a pair is.
 */
static guint32
judge_state (DsqPickleMachine *self, DsqPickleCall *call, DsqPickleValue state)
{
  guint32 n = 0;
  const DsqPickleValue *items = NULL;

  if (state.kind == DSQ_PICKLE_DICT)
    {
      if (call->op == 'R')
        note_names (self, call, state);
      return judge_dict (self, state);
    }
  if (state.kind != DSQ_PICKLE_TUPLE)
    return DSQ_PICKLE_CALL_STATE_OPAQUE;
  items = items_of (self, state, &n);
  if (n != 2 || !is_dict_or_none (items[0]) || !is_dict_or_none (items[1]))
    {
      note_letters (self, call, state);
      return DSQ_PICKLE_CALL_STATE_OPAQUE;
    }
  note_names (self, call, items[1]);
  return judge_dict (self, items[0]) | judge_dict (self, items[1]) |
         (items[1].kind == DSQ_PICKLE_DICT ? DSQ_PICKLE_CALL_SLOTS : 0);
}

gboolean
dsq_pickle_build (DsqPickleMachine *self)
{
  DsqPickleValue state;
  const DsqPickleValue *target;
  DsqPickleNode *node;
  DsqPickleCall *call;

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
  call = dsq_pickle_call_at (self, node->items);
  call->flags |= DSQ_PICKLE_CALL_BUILT | judge_state (self, call, state);
  return dsq_pickle_hold (self, target->index, state, DSQ_PICKLE_AS_STATE);
}
