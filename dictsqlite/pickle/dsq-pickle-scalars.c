/* dsq-pickle-scalars.c - the opcodes of strings, bytes and numbers
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "pickle/dsq-pickle-opcodes-private.h"
#include "pickle/dsq-pickle-reading-private.h"

/* Bytes, behind their length in @size bytes. */
static gboolean
push_counted (DsqPickleMachine *self, DsqPickleKind kind, guint size)
{
  guint64 length;
  guint32 at;

  if (!dsq_pickle_take_number (self, size, &length) || !dsq_pickle_take (self, length, &at))
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

/* The number keeps its bytes' length, and its opcode's place: its digits are read when they matter.
 * A length is signed where it has four bytes, but a negative one is beyond the end as well. */
static gboolean
push_long (DsqPickleMachine *self, guint size)
{
  DsqPickleValue *number;

  if (!push_counted (self, DSQ_PICKLE_BIG_INTEGER, size))
    return FALSE;
  number = dsq_pickle_top (self);
  number->index = self->op_at;
  if (number->length > DSQ_PICKLE_HUGE)
    number->kind = DSQ_PICKLE_HUGE_INTEGER;
  return TRUE;
}

static gboolean
push_fixed (DsqPickleMachine *self, DsqPickleKind kind, guint size)
{
  guint32 at;

  if (!dsq_pickle_take (self, size, &at))
    return FALSE;
  dsq_pickle_push (self, kind, self->op_at, 0);
  return TRUE;
}

static gboolean
push_binint (DsqPickleMachine *self)
{
  guint64 bits;
  gint32 number;

  if (!dsq_pickle_take_number (self, 4, &bits))
    return FALSE;
  number = (gint32) (guint32) bits;
  dsq_pickle_push (self,
                   number > -(1 << 24) && number < 1 << 24 ? DSQ_PICKLE_INTEGER
                                                           : DSQ_PICKLE_BIG_INTEGER,
                   self->op_at,
                   0);
  return TRUE;
}

/* INT and LONG. Python takes quadratic time for digits, and other bases are no pickler's. */
static gboolean
push_digits (DsqPickleMachine *self, DsqPickleOp op)
{
  guint32 at;
  guint32 length;

  if (!dsq_pickle_take_line (self, &at, &length))
    return FALSE;
  if (op == OP_INT && length == 2 && self->bytes[at] == '0' &&
      (self->bytes[at + 1] == '0' || self->bytes[at + 1] == '1'))
    {
      dsq_pickle_push (self, DSQ_PICKLE_BOOLEAN, self->op_at, 0);
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
  dsq_pickle_push (self,
                   length < 8 ? DSQ_PICKLE_INTEGER : DSQ_PICKLE_BIG_INTEGER,
                   self->op_at,
                   length / 2);
  return TRUE;
}

static gboolean
push_float_text (DsqPickleMachine *self)
{
  guint32 at;
  guint32 length;

  if (!dsq_pickle_take_line (self, &at, &length))
    return FALSE;
  if (length == 0 || length > 64)
    return dsq_pickle_fail (self, "a number has no digits, or too many");
  dsq_pickle_push (self, DSQ_PICKLE_FLOAT, self->op_at, 0);
  return TRUE;
}

/* UNICODE, whose backslashes escape, and STRING, which is in quotes. */
static gboolean
push_text (DsqPickleMachine *self, DsqPickleOp op)
{
  guint32 at;
  guint32 length;
  gboolean literal = op == OP_UNICODE;

  if (!dsq_pickle_take_line (self, &at, &length))
    return FALSE;
  for (guint32 i = 0; i < length && literal; i++)
    literal = self->bytes[at + i] < 0x80 && self->bytes[at + i] != '\\';
  dsq_pickle_push (self, literal ? DSQ_PICKLE_STRING : DSQ_PICKLE_TEXT, at, length);
  return TRUE;
}

gboolean
dsq_pickle_push_scalar (DsqPickleMachine *self, DsqPickleOp op)
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
