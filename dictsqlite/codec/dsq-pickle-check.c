/* dsq-pickle-check.c - the opcodes of a pickle
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-pickle-check-private.h"
#include "codec/dsq-pickle-machine-private.h"
#include "dsq-error.h"
#include "dsq-types.h"

/*
 * One pass over the opcodes of protocols 0 to 5, as pickletools.py documents them, with what
 * Python's own C unpickler makes of them. What it refuses, or what no pickler of Python 3 writes
 * and an attacker might use, is refused here: INST and OBJ, persistent ids, the extension registry,
 * buffers out of band, a second PROTO, bytes behind STOP.
 */

#define ABOVE_MARK G_MAXUINT32

typedef enum
{
  OP_MARK = '(',
  OP_STOP = '.',
  OP_POP = '0',
  OP_POP_MARK = '1',
  OP_DUP = '2',
  OP_FLOAT = 'F',
  OP_INT = 'I',
  OP_BININT = 'J',
  OP_BININT1 = 'K',
  OP_LONG = 'L',
  OP_BININT2 = 'M',
  OP_NONE = 'N',
  OP_PERSID = 'P',
  OP_BINPERSID = 'Q',
  OP_REDUCE = 'R',
  OP_STRING = 'S',
  OP_BINSTRING = 'T',
  OP_SHORT_BINSTRING = 'U',
  OP_UNICODE = 'V',
  OP_BINUNICODE = 'X',
  OP_APPEND = 'a',
  OP_BUILD = 'b',
  OP_GLOBAL = 'c',
  OP_DICT = 'd',
  OP_EMPTY_DICT = '}',
  OP_APPENDS = 'e',
  OP_GET = 'g',
  OP_BINGET = 'h',
  OP_INST = 'i',
  OP_LONG_BINGET = 'j',
  OP_LIST = 'l',
  OP_EMPTY_LIST = ']',
  OP_OBJ = 'o',
  OP_PUT = 'p',
  OP_BINPUT = 'q',
  OP_LONG_BINPUT = 'r',
  OP_SETITEM = 's',
  OP_TUPLE = 't',
  OP_EMPTY_TUPLE = ')',
  OP_SETITEMS = 'u',
  OP_BINFLOAT = 'G',
  OP_PROTO = 0x80,
  OP_NEWOBJ = 0x81,
  OP_EXT1 = 0x82,
  OP_EXT2 = 0x83,
  OP_EXT4 = 0x84,
  OP_TUPLE1 = 0x85,
  OP_TUPLE2 = 0x86,
  OP_TUPLE3 = 0x87,
  OP_NEWTRUE = 0x88,
  OP_NEWFALSE = 0x89,
  OP_LONG1 = 0x8a,
  OP_LONG4 = 0x8b,
  OP_BINBYTES = 'B',
  OP_SHORT_BINBYTES = 'C',
  OP_SHORT_BINUNICODE = 0x8c,
  OP_BINUNICODE8 = 0x8d,
  OP_BINBYTES8 = 0x8e,
  OP_EMPTY_SET = 0x8f,
  OP_ADDITEMS = 0x90,
  OP_FROZENSET = 0x91,
  OP_NEWOBJ_EX = 0x92,
  OP_STACK_GLOBAL = 0x93,
  OP_MEMOIZE = 0x94,
  OP_FRAME = 0x95,
  OP_BYTEARRAY8 = 0x96,
  OP_NEXT_BUFFER = 0x97,
  OP_READONLY_BUFFER = 0x98,
} Op;

/* --- arguments ----------------------------------------------------------------------------------
 */

/* Where what may be read now ends: in a frame at its end, as no opcode crosses that. */
static inline guint32
end_of (const DsqPickleMachine *self)
{
  return self->frame_end != 0 ? self->frame_end : self->length;
}

/* The offset of the next @length bytes, which are passed over. */
static inline gboolean
take (DsqPickleMachine *self, guint64 length, guint32 *out_at)
{
  if (length > end_of (self) - self->at)
    return dsq_pickle_fail (self, "it ends early, or tells a length beyond its end");
  *out_at = self->at;
  self->at += (guint32) length;
  return TRUE;
}

/* A number of @size bytes, little-endian, unsigned. */
static inline gboolean
take_number (DsqPickleMachine *self, guint size, guint64 *out)
{
  guint32 at;

  if (!take (self, size, &at))
    return FALSE;
  *out = size == 1   ? self->bytes[at]
         : size == 2 ? (guint64) self->bytes[at] | (guint64) self->bytes[at + 1] << 8
         : size == 4 ? dsq_bytes_load_u32 (self->bytes + at)
                     : dsq_bytes_load_u64 (self->bytes + at);
  return TRUE;
}

/* What stands up to the next line feed, which is passed over as well. */
static gboolean
take_line (DsqPickleMachine *self, guint32 *out_at, guint32 *out_length)
{
  const guint8 *begin = self->bytes + self->at;
  const guint8 *end = memchr (begin, '\n', end_of (self) - self->at);

  if (end == NULL)
    return dsq_pickle_fail (self, "a line has no end");
  *out_at = self->at;
  *out_length = (guint32) (end - begin);
  self->at += *out_length + 1;
  return TRUE;
}

static gboolean
take_index (DsqPickleMachine *self, guint64 *out)
{
  guint32 at;
  guint32 length;

  if (!take_line (self, &at, &length))
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

/* --- scalars ------------------------------------------------------------------------------------
 */

/* Bytes, behind their length in @size bytes. */
static gboolean
push_counted (DsqPickleMachine *self, DsqPickleKind kind, guint size)
{
  guint64 length;
  guint32 at;

  if (!take_number (self, size, &length) || !take (self, length, &at))
    return FALSE;
  dsq_pickle_push (self, kind, at, (guint32) length);
  return TRUE;
}

/* A string of Python 2, which is read as ASCII. */
static gboolean
push_old_string (DsqPickleMachine *self, guint size)
{
  DsqPickleValue *string;

  if (!push_counted (self, DSQ_PICKLE_STRING, size))
    return FALSE;
  string = dsq_pickle_top (self);
  for (guint32 i = 0; i < string->length; i++)
    if (self->bytes[string->index + i] >= 0x80)
      return dsq_pickle_fail (self, "a string of Python 2 is not ASCII");
  return TRUE;
}

/* A length is signed where it has four bytes, but a negative one is beyond the end as well. */
static gboolean
push_long (DsqPickleMachine *self, guint size)
{
  DsqPickleValue *number;

  if (!push_counted (self, DSQ_PICKLE_BIG_INTEGER, size))
    return FALSE;
  number = dsq_pickle_top (self);
  if (number->length > DSQ_PICKLE_HUGE)
    number->kind = DSQ_PICKLE_HUGE_INTEGER;
  return TRUE;
}

static gboolean
push_fixed (DsqPickleMachine *self, DsqPickleKind kind, guint size)
{
  guint32 at;

  if (!take (self, size, &at))
    return FALSE;
  dsq_pickle_push (self, kind, 0, 0);
  return TRUE;
}

static gboolean
push_binint (DsqPickleMachine *self)
{
  guint64 bits;
  gint32 number;

  if (!take_number (self, 4, &bits))
    return FALSE;
  number = (gint32) (guint32) bits;
  dsq_pickle_push (self,
                   number > -(1 << 24) && number < 1 << 24 ? DSQ_PICKLE_INTEGER
                                                           : DSQ_PICKLE_BIG_INTEGER,
                   0,
                   0);
  return TRUE;
}

/* INT and LONG. Python takes quadratic time for digits, and other bases are no pickler's. */
static gboolean
push_digits (DsqPickleMachine *self, Op op)
{
  guint32 at;
  guint32 length;

  if (!take_line (self, &at, &length))
    return FALSE;
  if (op == OP_INT && length == 2 && self->bytes[at] == '0' &&
      (self->bytes[at + 1] == '0' || self->bytes[at + 1] == '1'))
    {
      dsq_pickle_push (self, DSQ_PICKLE_BOOLEAN, 0, 0);
      return TRUE;
    }
  if (op == OP_LONG && length > 0 && self->bytes[at + length - 1] == 'L')
    length--;
  if (length > 0 && self->bytes[at] == '-')
    {
      at++;
      length--;
    }
  if (length == 0 || length > DSQ_PICKLE_MAX_DIGITS)
    return dsq_pickle_fail (self, "a number has no digits, or too many");
  for (guint32 i = 0; i < length; i++)
    if (!g_ascii_isdigit (self->bytes[at + i]))
      return dsq_pickle_fail (self, "a number has no digits, or too many");
  dsq_pickle_push (self, length < 8 ? DSQ_PICKLE_INTEGER : DSQ_PICKLE_BIG_INTEGER, 0, length / 2);
  return TRUE;
}

static gboolean
push_float_text (DsqPickleMachine *self)
{
  guint32 at;
  guint32 length;

  if (!take_line (self, &at, &length))
    return FALSE;
  if (length == 0 || length > 64)
    return dsq_pickle_fail (self, "a number has no digits, or too many");
  dsq_pickle_push (self, DSQ_PICKLE_FLOAT, 0, 0);
  return TRUE;
}

/* UNICODE, whose backslashes escape, and STRING, which is in quotes. */
static gboolean
push_text (DsqPickleMachine *self, Op op)
{
  guint32 at;
  guint32 length;
  gboolean literal = op == OP_UNICODE;

  if (!take_line (self, &at, &length))
    return FALSE;
  for (guint32 i = 0; i < length && literal; i++)
    literal = self->bytes[at + i] < 0x80 && self->bytes[at + i] != '\\';
  dsq_pickle_push (self, literal ? DSQ_PICKLE_STRING : DSQ_PICKLE_TEXT, at, length);
  return TRUE;
}

/* --- imports ------------------------------------------------------------------------------------
 */

static gboolean
do_global (DsqPickleMachine *self)
{
  guint32 module_at;
  guint32 module_length;
  guint32 name_at;
  guint32 name_length;

  return take_line (self, &module_at, &module_length) && take_line (self, &name_at, &name_length) &&
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

/* --- the whole ----------------------------------------------------------------------------------
 */

static gboolean
do_proto (DsqPickleMachine *self)
{
  guint64 protocol;

  if (!take_number (self, 1, &protocol))
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
  if (!take_number (self, 8, &length))
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

/* Opcodes with an index into the memo. */
static gboolean
do_memo (DsqPickleMachine *self, Op op)
{
  guint64 index;
  gboolean is_read = op == OP_GET || op == OP_BINGET || op == OP_LONG_BINGET;
  gboolean success = op == OP_GET || op == OP_PUT         ? take_index (self, &index)
                     : op == OP_BINGET || op == OP_BINPUT ? take_number (self, 1, &index)
                                                          : take_number (self, 4, &index);

  if (!success)
    return FALSE;
  return is_read ? dsq_pickle_get (self, index) : dsq_pickle_put (self, index);
}

static gboolean
do_scalar (DsqPickleMachine *self, Op op)
{
  switch (op)
    {
    case OP_NONE:
      return push_fixed (self, DSQ_PICKLE_NONE, 0);
    case OP_NEWTRUE:
    case OP_NEWFALSE:
      return push_fixed (self, DSQ_PICKLE_BOOLEAN, 0);
    case OP_BININT1:
      return push_fixed (self, DSQ_PICKLE_INTEGER, 1);
    case OP_BININT2:
      return push_fixed (self, DSQ_PICKLE_INTEGER, 2);
    case OP_BININT:
      return push_binint (self);
    case OP_LONG1:
      return push_long (self, 1);
    case OP_LONG4:
      return push_long (self, 4);
    case OP_INT:
    case OP_LONG:
      return push_digits (self, op);
    case OP_BINFLOAT:
      return push_fixed (self, DSQ_PICKLE_FLOAT, 8);
    case OP_FLOAT:
      return push_float_text (self);
    case OP_SHORT_BINUNICODE:
      return push_counted (self, DSQ_PICKLE_STRING, 1);
    case OP_BINUNICODE:
      return push_counted (self, DSQ_PICKLE_STRING, 4);
    case OP_BINUNICODE8:
      return push_counted (self, DSQ_PICKLE_STRING, 8);
    case OP_UNICODE:
    case OP_STRING:
      return push_text (self, op);
    case OP_SHORT_BINSTRING:
      return push_old_string (self, 1);
    case OP_BINSTRING:
      return push_old_string (self, 4);
    case OP_SHORT_BINBYTES:
      return push_counted (self, DSQ_PICKLE_BYTES, 1);
    case OP_BINBYTES:
      return push_counted (self, DSQ_PICKLE_BYTES, 4);
    case OP_BINBYTES8:
      return push_counted (self, DSQ_PICKLE_BYTES, 8);
    case OP_BYTEARRAY8:
      return push_counted (self, DSQ_PICKLE_BYTEARRAY, 8);
    case OP_INST:
    case OP_OBJ:
      return dsq_pickle_fail (self, "it makes an instance as Python 2 did");
    case OP_PERSID:
    case OP_BINPERSID:
      return dsq_pickle_fail (self, "it refers to a persistent object");
    case OP_EXT1:
    case OP_EXT2:
    case OP_EXT4:
      return dsq_pickle_fail (self, "it refers to the extension registry");
    case OP_NEXT_BUFFER:
    case OP_READONLY_BUFFER:
      return dsq_pickle_fail (self, "it refers to a buffer outside of it");
    default:
      return dsq_pickle_fail (self, "it has an unknown opcode");
    }
}

static gboolean
do_container (DsqPickleMachine *self, Op op)
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
      return do_scalar (self, op);
    }
}

static gboolean
do_op (DsqPickleMachine *self, Op op)
{
  switch (op)
    {
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
      Op op;

      self->op_at = self->at;
      if (self->at == self->frame_end)
        self->frame_end = 0;
      if (self->at == self->length)
        return dsq_pickle_fail (self, "it has no end");
      op = self->bytes[self->at++];
      if (op == OP_STOP)
        return do_stop (self) && dsq_pickle_weigh (self);
      if (!do_op (self, op))
        return FALSE;
    }
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
  if (!success)
    g_set_error (error,
                 DSQ_ERROR,
                 DSQ_ERROR_INVALID_VALUE,
                 "Failed to check pickle at offset %u: %s",
                 machine.op_at,
                 machine.fault);
  else if (machine.calls != NULL)
    {
      *out_report = dsq_pickle_report (&machine, out_length, error);
      success = *out_report != NULL;
    }
  dsq_pickle_machine_clear (&machine);
  return success;
}
