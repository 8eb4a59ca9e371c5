/* file-content.h - what the fuzzed files hold, so that a value tells whether it was ever stored
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Tables by their numbers here; the first is the one that a store opens with. */
#define CONTENT_N_TABLES 3
extern const char *const content_tables[CONTENT_N_TABLES];
extern const guint content_n_keys[CONTENT_N_TABLES];

/* Keys by their numbers, those that the trial writes included. */
#define CONTENT_N_NUMBERS 250

/* Versions of a value: as first written, as overwritten, and as the trial writes it. */
enum
{
  CONTENT_FIRST,
  CONTENT_SECOND,
  CONTENT_OWN,
  CONTENT_N_VERSIONS
};

/* The encoded key of a number, and the record that it has in a table: of all sorts and sizes. They
 * are made once and (unowned). */
const guint8 *content_get_key (guint number, gsize *out_length);
const guint8 *content_get_record (guint table, guint number, guint version, gsize *out_length);
/* FALSE: no key of these. */
gboolean content_find_key (const guint8 *key, gsize length, guint *out_number);
/* Whether some version of the record was stored under the key, in the table or, for
 * CONTENT_N_TABLES, in any of them. */
gboolean content_was_stored (guint table,
                             const guint8 *key,
                             gsize key_length,
                             const guint8 *record,
                             gsize record_length);
