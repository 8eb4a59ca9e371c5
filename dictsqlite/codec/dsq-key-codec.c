/* dsq-key-codec.c - which bytes are a key
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-key-codec-private.h"
#include "codec/dsq-utf8-private.h"
#include "dsq-error.h"
#include "dsq-types.h"

/* What is read of a key that is not text. Each scan_ function moves on past what it is about and
 * gives NULL, or what is wrong. */
typedef struct
{
  const guint8 *next; /* (unowned) */
  gsize left;         /* bytes from next to the end */
} Scanner;

static const char ends_early[] = "it ends early";

/* Lengths of more than four groups of 7 bits are beyond any key. */
static const char *
scan_length (Scanner *self, gsize *out_length)
{
  gsize length = 0;

  for (guint shift = 0; shift < 28; shift += 7)
    {
      guint8 group;

      if (self->left == 0)
        return ends_early;
      group = *self->next++;
      self->left--;
      length |= (gsize) (group & 0x7F) << shift;
      if ((group & 0x80) != 0)
        continue;

      if (group == 0 && shift > 0)
        return "a length is not in its shortest form";
      if (length > self->left)
        return ends_early;
      *out_length = length;
      return NULL;
    }
  return "a length is out of range";
}

/* Two's complement of the fewest bytes: the first byte must not be a mere extension of the sign. */
static gboolean
is_shortest_integer (const guint8 *bytes, gsize length)
{
  if (length == 0)
    return TRUE;
  if (bytes[0] == 0x00)
    return length > 1 && (bytes[1] & 0x80) != 0;
  if (bytes[0] == 0xFF)
    return length == 1 || (bytes[1] & 0x80) == 0;
  return TRUE;
}

/* Whether the bits of a binary64 are an infinity or a number with a fraction. */
static gboolean
is_fraction (guint64 bits)
{
  guint exponent = (bits >> 52) & 0x7FF;
  guint64 mantissa = bits & ((G_GUINT64_CONSTANT (1) << 52) - 1);

  if (exponent == 0x7FF)
    return mantissa == 0;
  if (exponent < 1023)
    return exponent != 0 || mantissa != 0;
  if (exponent >= 1023 + 52)
    return FALSE;
  return (mantissa & ((G_GUINT64_CONSTANT (1) << (1023 + 52 - exponent)) - 1)) != 0;
}

static const char *
scan_double (Scanner *self)
{
  guint64 bits;

  if (self->left < sizeof bits)
    return ends_early;
  memcpy (&bits, self->next, sizeof bits);
  self->next += sizeof bits;
  self->left -= sizeof bits;
  return is_fraction (GUINT64_FROM_BE (bits)) ? NULL : "a number is NaN or integral";
}

/* The item of bytes, an integer or text that @tag begins. */
static const char *
scan_string (Scanner *self, guint8 tag)
{
  gsize length;
  const char *fault = scan_length (self, &length);

  if (fault != NULL)
    return fault;
  if (tag == 'i' && !is_shortest_integer (self->next, length))
    return "an integer is not in its shortest form";
  if (tag == 's' && !dsq_utf8_validate (self->next, length))
    return "its text is not UTF-8";
  self->next += length;
  self->left -= length;
  return NULL;
}

/* Tuples are counted instead of recursed into. */
static const char *
scan_other (Scanner *self)
{
  gsize depth = 0;

  do
    {
      const char *fault = NULL;
      guint8 tag;

      if (self->left == 0)
        return ends_early;
      tag = *self->next++;
      self->left--;

      if (tag == '(' && ++depth > DSQ_KEY_MAX_DEPTH)
        fault = "its tuples are more than " G_STRINGIFY (DSQ_KEY_MAX_DEPTH) " deep";
      else if (tag == '(')
        continue;
      else if (tag == ')' && depth > 0)
        depth--;
      else if (tag == 'b' || tag == 'i' || (tag == 's' && depth > 0))
        fault = scan_string (self, tag);
      else if (tag == 'f')
        fault = scan_double (self);
      else if (tag != 'N')
        fault = "it holds an item of no known kind";

      if (fault != NULL)
        return fault;
    }
  while (depth > 0);

  return self->left == 0 ? NULL : "bytes follow its end";
}

gboolean
dsq_key_codec_validate (const guint8 *bytes, gsize length, GError **error)
{
  const char *fault = NULL;
  const char *form = "";

  if (length > DSQ_MAX_KEY_LENGTH)
    {
      fault = "it is longer than " G_STRINGIFY (DSQ_MAX_KEY_LENGTH) " bytes";
    }
  else if (length > 0 && bytes[0] == DSQ_KEY_OTHER)
    {
      Scanner scanner = { bytes + 1, length - 1 };

      form = "it is not UTF-8, and as an encoded key ";
      fault = scan_other (&scanner);
    }
  else if (!dsq_utf8_validate (bytes, length))
    {
      fault = "it is not UTF-8";
    }

  if (G_LIKELY (fault == NULL))
    return TRUE;
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_INVALID_KEY,
               "Failed to validate key: %s%s",
               form,
               fault);
  return FALSE;
}

gboolean
dsq_key_codec_is_c_string (const guint8 *bytes, gsize length)
{
  return length == 0 || (bytes[0] != DSQ_KEY_OTHER && memchr (bytes, 0, length) == NULL);
}
