/* dsq-pickle-check.c - the opcodes of a pickle
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "codec/dsq-utf8-private.h"
#include "dsq-error.h"
#include "dsq-types.h"
#include "pickle/dsq-pickle-check-private.h"
#include "pickle/dsq-pickle-notes-private.h"
#include "pickle/dsq-pickle-opcodes-private.h"
#include "pickle/dsq-pickle-reading-private.h"
#include "pickle/dsq-pickle-weights-private.h"

/*
 * One pass over the opcodes of protocols 0 to 5, as pickletools.py documents them, with what
 * Python's own C unpickler makes of them. What it refuses, or what no pickler of Python 3 writes
 * and an attacker might use, is refused here: INST and OBJ, persistent ids, the extension registry,
 * buffers out of band, a second PROTO, bytes behind STOP.
 */

#define ABOVE_MARK G_MAXUINT32

/* --- imports ---------------------------------------------------------------------------------- */

static gboolean
do_global (DsqPickleMachine *self)
{
  guint32 module_at;
  guint32 module_length;
  guint32 name_at;
  guint32 name_length;

  return dsq_pickle_take_line (self, &module_at, &module_length) &&
         dsq_pickle_take_line (self, &name_at, &name_length) &&
         dsq_pickle_import (self, module_at, module_length, name_at, name_length);
}

static gboolean
do_stack_global (DsqPickleMachine *self)
{
  DsqPickleValue module;
  DsqPickleValue name;

  if (!dsq_pickle_pop (self, &name) || !dsq_pickle_pop (self, &module))
    return FALSE;
  if (module.kind != DSQ_PICKLE_STRING || name.kind != DSQ_PICKLE_STRING)
    return dsq_pickle_fail (self, "it imports by a name that it does not tell literally");
  return dsq_pickle_import (self, module.index, module.length, name.index, name.length);
}

/* --- the whole -------------------------------------------------------------------------------- */

static gboolean
do_proto (DsqPickleMachine *self)
{
  guint64 protocol;

  if (!dsq_pickle_take_number (self, 1, &protocol))
    return FALSE;
  if (self->op_at != 0 || protocol > 5)
    return dsq_pickle_fail (self, "its protocol is told late, or is unknown");
  self->protocol = (guint8) protocol;
  return TRUE;
}

static gboolean
do_frame (DsqPickleMachine *self)
{
  guint64 length;

  if (self->frame_end != 0 || self->protocol < 4)
    return dsq_pickle_fail (self, "a frame begins where there can be none");
  if (!dsq_pickle_take_number (self, 8, &length))
    return FALSE;
  if (length == 0 || length > self->length - self->at)
    return dsq_pickle_fail (self, "a frame is empty, or longer than the pickle");
  self->frame_end = self->at + (guint32) length;
  return TRUE;
}

static gboolean
do_stop (DsqPickleMachine *self)
{
  DsqPickleValue value;

  if (self->marks.n > 0 || self->stack.n != 1)
    return dsq_pickle_fail (self, "it leaves no value, or more than one");
  if (self->at != self->length)
    return dsq_pickle_fail (self, "bytes follow its end");
  value = self->stack.at[0];
  dsq_pickle_use (self, value);
  return TRUE;
}

static gboolean
take_index (DsqPickleMachine *self, guint64 *out)
{
  guint32 at;
  guint32 length;

  if (!dsq_pickle_take_line (self, &at, &length))
    return FALSE;
  if (length == 0 || length > 10)
    return dsq_pickle_fail (self, "a memo index is no number, or too large");
  *out = 0;
  for (; length > 0; at++, length--)
    {
      if (!g_ascii_isdigit (self->bytes[at]))
        return dsq_pickle_fail (self, "a memo index is no number, or too large");
      *out = *out * 10 + (guint64) (self->bytes[at] - '0');
    }
  return TRUE;
}

/* Opcodes with an index into the memo. */
static gboolean
do_memo (DsqPickleMachine *self, DsqPickleOp op)
{
  guint64 index;
  gboolean is_read = op == OP_GET || op == OP_BINGET || op == OP_LONG_BINGET;
  gboolean success = op == OP_GET || op == OP_PUT ? take_index (self, &index)
                     : op == OP_BINGET || op == OP_BINPUT
                         ? dsq_pickle_take_number (self, 1, &index)
                         : dsq_pickle_take_number (self, 4, &index);

  if (!success)
    return FALSE;
  return is_read ? dsq_pickle_get (self, index) : dsq_pickle_put (self, index);
}

static gboolean
do_container (DsqPickleMachine *self, DsqPickleOp op)
{
  switch (op)
    {
    case OP_EMPTY_LIST:
      return dsq_pickle_make (self, DSQ_PICKLE_LIST, 0);
    case OP_EMPTY_DICT:
      return dsq_pickle_make (self, DSQ_PICKLE_DICT, 0);
    case OP_EMPTY_SET:
      return dsq_pickle_make (self, DSQ_PICKLE_SET, 0);
    case OP_EMPTY_TUPLE:
      return dsq_pickle_make (self, DSQ_PICKLE_TUPLE, 0);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
      return dsq_pickle_make (self, DSQ_PICKLE_TUPLE, 1 + op - OP_TUPLE1);
    case OP_TUPLE:
      return dsq_pickle_make (self, DSQ_PICKLE_TUPLE, ABOVE_MARK);
    case OP_LIST:
      return dsq_pickle_make (self, DSQ_PICKLE_LIST, ABOVE_MARK);
    case OP_DICT:
      return dsq_pickle_make (self, DSQ_PICKLE_DICT, ABOVE_MARK);
    case OP_FROZENSET:
      return dsq_pickle_make (self, DSQ_PICKLE_FROZENSET, ABOVE_MARK);
    case OP_APPEND:
      return dsq_pickle_fill (self, DSQ_PICKLE_LIST, 1);
    case OP_APPENDS:
      return dsq_pickle_fill (self, DSQ_PICKLE_LIST, ABOVE_MARK);
    case OP_SETITEM:
      return dsq_pickle_fill (self, DSQ_PICKLE_DICT, 2);
    case OP_SETITEMS:
      return dsq_pickle_fill (self, DSQ_PICKLE_DICT, ABOVE_MARK);
    case OP_ADDITEMS:
      return dsq_pickle_fill (self, DSQ_PICKLE_SET, ABOVE_MARK);
    default:
      return dsq_pickle_push_scalar (self, op);
    }
}

static gboolean
do_op (DsqPickleMachine *self, DsqPickleOp op)
{
  switch (op)
    {
    /* by far the most */
    case OP_BININT1:
    case OP_BININT2:
    case OP_BININT:
    case OP_BINFLOAT:
    case OP_SHORT_BINUNICODE:
      return dsq_pickle_push_scalar (self, op);
    case OP_MEMOIZE:
      return dsq_pickle_memoize (self);
    case OP_MARK:
      dsq_pickle_push_mark (self);
      return TRUE;
    case OP_GET:
    case OP_BINGET:
    case OP_LONG_BINGET:
    case OP_PUT:
    case OP_BINPUT:
    case OP_LONG_BINPUT:
      return do_memo (self, op);
    case OP_POP:
      return dsq_pickle_discard (self);
    case OP_POP_MARK:
      return dsq_pickle_pop_mark (self);
    case OP_DUP:
      return dsq_pickle_duplicate (self);
    case OP_GLOBAL:
      return do_global (self);
    case OP_STACK_GLOBAL:
      return do_stack_global (self);
    case OP_REDUCE:
      return dsq_pickle_call (self, 'R');
    case OP_NEWOBJ:
      return dsq_pickle_call (self, 'N');
    case OP_NEWOBJ_EX:
      return dsq_pickle_call (self, 'X');
    case OP_BUILD:
      return dsq_pickle_build (self);
    case OP_PROTO:
      return do_proto (self);
    case OP_FRAME:
      return do_frame (self);
    default:
      return do_container (self, op);
    }
}

static gboolean
run (DsqPickleMachine *self)
{
  for (;;)
    {
      DsqPickleOp op;

      self->op_at = self->at;
      if (self->at == self->frame_end)
        self->frame_end = 0;
      if (self->at == self->length)
        return dsq_pickle_fail (self, "it has no end");
      op = self->bytes[self->at++];
      if (op == OP_STOP)
        return do_stop (self) && dsq_pickle_weigh (self) && dsq_pickle_count_keys (self);
      if (!do_op (self, op))
        return FALSE;
    }
}

static void
set_refused (DsqPickleMachine *self, GError **error)
{
  g_autofree char *name = dsq_pickle_fault_name (self);
  g_autofree char *shown = dsq_utf8_show (name != NULL ? name : "");

  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_INVALID_VALUE,
               "Failed to check pickle at offset %u%s%s: %s",
               self->op_at,
               name != NULL ? ", with " : "",
               shown,
               self->fault);
}

/* Runs it once more, and notes what is in lists. */
static gboolean
run_lists (const guint8 *pickle, guint32 length, GError **error)
{
  DsqPickleMachine machine;
  gboolean success;

  dsq_pickle_machine_init (&machine, pickle, length);
  machine.notes_lists = TRUE;
  success = run (&machine);
  if (!success)
    set_refused (&machine, error);
  dsq_pickle_machine_clear (&machine);
  return success;
}

gboolean
dsq_pickle_check_run (const guint8 *pickle,
                      gsize length,
                      guint8 **out_report,
                      gsize *out_length,
                      GError **error)
{
  DsqPickleMachine machine;
  gboolean success;
  gboolean has_many;

  *out_report = NULL;
  *out_length = 0;
  if (length > DSQ_MAX_VALUE_LENGTH)
    {
      g_set_error_literal (error,
                           DSQ_ERROR,
                           DSQ_ERROR_INVALID_VALUE,
                           "Failed to check pickle at offset 0: it is too long");
      return FALSE;
    }

  dsq_pickle_machine_init (&machine, pickle, (guint32) length);
  success = run (&machine);
  has_many = machine.has_many;
  if (!success)
    set_refused (&machine, error);
  else if (machine.calls != NULL || machine.n_pairs > DSQ_PICKLE_FEW_PAIRS (machine.length))
    {
      *out_report = dsq_pickle_report (&machine, out_length, error);
      success = *out_report != NULL;
    }
  dsq_pickle_machine_clear (&machine);
  if (success && has_many && !run_lists (pickle, (guint32) length, error))
    {
      g_clear_pointer (out_report, g_free);
      *out_length = 0;
      success = FALSE;
    }
  return success;
}
