/* dsq-value-private.h - records: a type byte and its payload, as typed values
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "dsq-enums.h"

G_BEGIN_DECLS

/* A record under construction or as read: the type byte apart from a borrowed payload. */
typedef struct
{
  DsqValueType type;
  const guint8 *payload; /* (unowned) */
  gsize length;          /* bytes of payload */
  guint8 scratch[8];     /* payload of an integer, a double or a boolean under construction */
} DsqValue;

/* Construction; @out is filled, its payload borrows from the argument or from its own scratch (so
 * a DsqValue is passed by pointer and never copied). */
void dsq_value_init_bytes (DsqValue *out, const guint8 *bytes, gsize length);
gboolean dsq_value_init_string (DsqValue *out, const char *string, GError **error); /* not UTF-8 */
void dsq_value_init_int64 (DsqValue *out, gint64 number);
void dsq_value_init_double (DsqValue *out, double number);
void dsq_value_init_boolean (DsqValue *out, gboolean truth);

/* The record (g_malloc) of @value, which need not be floating-free; 's', 'x', 'd', 'b', 'ay' become
 * typed records, and 'mv' that holds nothing becomes DSQ_VALUE_NONE; all else is a
 * DSQ_VALUE_VARIANT record: the serialised form, little-endian, of g_variant_new_variant(value). */
guint8 *dsq_value_encode_variant (GVariant *value, gsize *out_length, GError **error);

/* The record (g_malloc) of a DsqValue. */
guint8 *dsq_value_encode (const DsqValue *value, gsize *out_length);

/* Checks a record that comes from a caller or from a file: a known type and a payload that fits it
 * (8 bytes for int64 and double, 0 or 1 for boolean, nothing for none, UTF-8 for strings, a
 * protocol for a pickle, anything for bytes and old pickles). Gives DSQ_ERROR_INVALID_VALUE. The
 * full UTF-8 check of long strings may be left to dsq_value_get_string(), so that setting costs
 * nothing in proportion to the length. */
gboolean dsq_value_check_record (const guint8 *record, gsize length, GError **error);

/* Reading a record as a type; DSQ_ERROR_WRONG_TYPE names what it is and what was asked, and
 * DSQ_ERROR_CORRUPT if the payload is none of the kind. */
char *dsq_value_get_string (const guint8 *record, gsize length, GError **error);
gboolean dsq_value_get_int64 (const guint8 *record, gsize length, gint64 *out, GError **error);

/* Any record but a pickle as a GVariant (full reference, in normal form): the inverse of
 * dsq_value_encode_variant(). A string that holds NUL cannot be a GVariant string: WRONG_TYPE. */
GVariant *dsq_value_get_variant (const guint8 *record, gsize length, GError **error);

G_END_DECLS
