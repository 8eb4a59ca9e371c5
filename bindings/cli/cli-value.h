/* cli-value.h - values as JSON, and as bytes for people and programs
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "cli-json.h"

G_BEGIN_DECLS

/* A value in JSON is a string; null; true; false; an integer, of any size; a number with a point or
 * an exponent; or an object of one name: {"bytes": BASE64}, {"float": "nan"}, {"int": "0x..."},
 * {"variant": BASE64} (a GVariant's bytes), {"pickle": BASE64}, {"old-pickle": BASE64}.
 *
 * A record is what the library stores: a byte that tells the type, and bytes. */

/* Appends the record's JSON. */
void cli_value_write (GString *out, const guint8 *record, gsize length);
/* Appends the record of its JSON. CLI_DAMAGED. */
gboolean cli_value_from_json (const CliJson *json, GByteArray *out, GError **error);
/* Appends the value as a person reads it: text as it is, a GVariant in GVariant's own text. */
void cli_value_write_plain (GString *out, const guint8 *record, gsize length);
/* The bytes of the value, without its type. */
const guint8 *cli_value_payload (const guint8 *record, gsize length, gsize *out_length);
/* "str", "int", ... */
const char *cli_value_type (const guint8 *record);

/* The record of @bytes as a type says it: "str", "bytes", "int", "float", "bool", "null", "json",
 * "pickle" or "variant". CLI_USAGE. */
GByteArray *
cli_value_from_text (const char *type, const guint8 *bytes, gsize length, GError **error);

/* The record of a GVariant of any type; a floating reference is taken over. CLI_DAMAGED where it is
 * nested more deeply than can be read. */
GByteArray *cli_value_from_variant (GVariant *value, GError **error);

G_END_DECLS
