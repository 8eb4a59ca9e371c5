/* file-content.c - what the fuzzed files hold, so that a value tells whether it was ever stored
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "dsq-enums.h"
#include "file-content.h"

/*
 * A value is a string that begins with its table, key and version; the rest follows from those.
 * Some keys and values are long, so that there are pages of all kinds.
 */

const char *const content_tables[CONTENT_N_TABLES] = { "", "one", "two" };
const guint content_n_keys[CONTENT_N_TABLES] = { 200, 60, 60 };

#define LONG_KEY 1200

/* Integers of two bytes each. */
#define FIRST_INTEGER 1000

static GBytes *keys[CONTENT_N_NUMBERS];
static GBytes *records[CONTENT_N_TABLES][CONTENT_N_NUMBERS][CONTENT_N_VERSIONS];

static GBytes *
make_key (guint number)
{
  GString *key = g_string_new (NULL);

  if (number % 40 == 39)
    {
      guint16 integer = GUINT16_TO_BE (number + FIRST_INTEGER);

      g_string_append (key, "\xFFi\2");
      g_string_append_len (key, (const char *) &integer, sizeof integer);
    }
  else
    g_string_append_printf (key, "key-%04u", number);
  if (number % 13 == 12 && number % 40 != 39)
    for (guint i = 0; i < LONG_KEY + number; i++)
      g_string_append_c (key, (char) ('a' + (i + number) % 26));
  return g_string_free_to_bytes (key);
}

const guint8 *
content_get_key (guint number, gsize *out_length)
{
  if (keys[number] == NULL)
    keys[number] = make_key (number);
  return g_bytes_get_data (keys[number], out_length);
}

static gsize
padding_of (guint number)
{
  if (number % 17 == 0)
    return 9000 + number;
  return number % 7 == 0 ? 1500 : 10 + number % 50;
}

static GBytes *
make_record (guint table, guint number, guint version)
{
  GString *record = g_string_new (NULL);

  g_string_append_c (record, DSQ_VALUE_STRING);
  g_string_append_printf (record, "%u|%u|%u|", table, number, version);
  for (gsize i = padding_of (number); i > 0; i--)
    g_string_append_c (record, (char) ('A' + (i + table + number + version) % 26));
  return g_string_free_to_bytes (record);
}

const guint8 *
content_get_record (guint table, guint number, guint version, gsize *out_length)
{
  GBytes **record = &records[table][number][version];

  if (*record == NULL)
    *record = make_record (table, number, version);
  return g_bytes_get_data (*record, out_length);
}

gboolean
content_find_key (const guint8 *key, gsize length, guint *out_number)
{
  g_autofree char *text = g_strndup ((const char *) key, MIN (length, 16));
  const guint8 *known;
  gsize known_length;

  if (length == 5 && key[0] == 0xFF)
    *out_number = (guint) (key[3] << 8 | key[4]) - FIRST_INTEGER;
  else if (sscanf (text, "key-%4u", out_number) != 1)
    return FALSE;
  if (*out_number >= CONTENT_N_NUMBERS)
    return FALSE;
  known = content_get_key (*out_number, &known_length);
  return known_length == length && memcmp (known, key, length) == 0;
}

static gboolean
is_record (guint table, guint number, guint version, const guint8 *record, gsize length)
{
  gsize known_length;
  const guint8 *known = content_get_record (table, number, version, &known_length);

  return known_length == length && memcmp (known, record, length) == 0;
}

gboolean
content_was_stored (guint table,
                    const guint8 *key,
                    gsize key_length,
                    const guint8 *record,
                    gsize record_length)
{
  guint first = table == CONTENT_N_TABLES ? 0 : table;
  guint last = table == CONTENT_N_TABLES ? CONTENT_N_TABLES - 1 : table;
  guint number;

  if (!content_find_key (key, key_length, &number))
    return FALSE;
  for (guint t = first; t <= last; t++)
    for (guint version = 0; version < CONTENT_N_VERSIONS; version++)
      if (is_record (t, number, version, record, record_length))
        return TRUE;
  return FALSE;
}
