/* cli-key.h - keys as JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "cli-json.h"

G_BEGIN_DECLS

/* A key in JSON is a string; null; an integer of any size; a number with a fraction; an array for a
 * tuple; or {"bytes": BASE64}, {"float": "inf"}, {"int": "0x..."}. */

/* Appends the key's JSON. */
void cli_key_write (GString *out, const guint8 *key, gsize length);
/* Appends a key that is plain text as it is, any other as its JSON. */
void cli_key_write_plain (GString *out, const guint8 *key, gsize length);
/* Appends the key of its JSON; as in Python true and 1.0 are the key 1. CLI_DAMAGED. */
gboolean cli_key_from_json (const CliJson *json, GByteArray *out, GError **error);
/* The key of a word of the command line: its UTF-8, or its JSON. CLI_USAGE. */
GByteArray *cli_key_from_word (const char *word, gboolean is_json, GError **error);

G_END_DECLS
