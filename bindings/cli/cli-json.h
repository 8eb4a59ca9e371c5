/* cli-json.h - JSON, read strictly and written
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Arrays and objects in one another; a key's tuples may be 1000 deep. */
#define CLI_JSON_MAX_DEPTH 1100

typedef enum
{
  CLI_JSON_NULL,
  CLI_JSON_FALSE,
  CLI_JSON_TRUE,
  CLI_JSON_NUMBER,
  CLI_JSON_STRING,
  CLI_JSON_ARRAY,
  CLI_JSON_OBJECT
} CliJsonKind;

typedef struct _CliJson CliJson;

/* A value. Numbers stay text, so that none loses a digit; strings may hold NUL characters. */
struct _CliJson
{
  CliJsonKind kind;
  char *text;       /* (owned) (nullable) of a number or string, with a NUL behind it */
  gsize length;     /* its bytes */
  GPtrArray *items; /* (owned) (nullable) of CliJson: an array's; an object's name, value, ... */
};

/* The one value that @text is (RFC 8259, in UTF-8): no name twice in an object, no half of a
 * surrogate pair. NULL with CLI_DAMAGED, which says at which byte. */
CliJson *cli_json_parse (const char *text, gsize length, GError **error);
void cli_json_free (CliJson *self);

/* Whether it is this string. */
gboolean cli_json_says (const CliJson *self, const char *text);
/* The value under a name of an object, NULL where there is none. */
const CliJson *cli_json_get (const CliJson *self, const char *name);
/* Whether a number is written as an integer, without a fraction or an exponent. */
gboolean cli_json_is_integer (const CliJson *self);
/* The bytes that a string has in base64, in its strict form; CLI_DAMAGED. */
guchar *cli_json_decode_base64 (const CliJson *self, gsize *out_length, GError **error);

/* Appends a string of valid UTF-8, quoted. */
void cli_json_write_string (GString *out, const char *text, gsize length);
/* Appends bytes in base64, quoted. */
void cli_json_write_base64 (GString *out, const guint8 *bytes, gsize length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliJson, cli_json_free)

G_END_DECLS
