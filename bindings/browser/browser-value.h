/* browser-value.h - values as a person reads and writes them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a value can be made of here; the order is that of the editor's list. A pickle is shown, and
 * never loaded. */
typedef enum
{
  BROWSER_STR,
  BROWSER_BYTES,
  BROWSER_INT,
  BROWSER_FLOAT,
  BROWSER_BOOL,
  BROWSER_NONE,
  BROWSER_VARIANT,
  BROWSER_PICKLE,
  BROWSER_UNKNOWN
} BrowserType;

/* A GBytes without bytes has no pointer, which the library's calls do not take. */
const guint8 *browser_bytes_get (GBytes *bytes, gsize *out_length);

BrowserType browser_value_get_type (GBytes *record);
/* "str", "int", ..., "pickle" */
const char *browser_type_get_name (BrowserType type);

/* One line, and a short one, of what is stored. */
char *browser_value_dup_summary (GBytes *record);
/* The value as text that browser_value_parse() reads: text as it is, bytes in hexadecimal. NULL
 * where it can only be described. */
char *browser_value_dup_text (GBytes *record);
/* What is to be said of one that has no such text: of a pickle, what it would import. */
char *browser_value_describe (GBytes *record);

/* The record of a text, if it is one of that type; NULL with an error that says why not. */
GBytes *browser_value_parse (BrowserType type, const char *text, GError **error);

/* "3 d 4 h", "12 s" of milliseconds that an entry has to live, "never". */
char *browser_time_dup_text (gint64 milliseconds);
/* Milliseconds of seconds as a person writes them, DSQ_NEVER of "never"; nothing leaves @out as it
 * is. */
gboolean browser_time_parse (const char *text, gint64 *out, GError **error);

/* A key for people: text as it is, anything else as its JSON; of a long one, its beginning. */
char *browser_key_dup_text (GBytes *key);
/* The encoded key of what was typed, as text or as JSON. */
GBytes *browser_key_parse (const char *text, gboolean is_json, GError **error);

G_END_DECLS
