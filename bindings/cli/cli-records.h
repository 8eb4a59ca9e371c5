/* cli-records.h - records of package lists, CSV and JSON
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  CLI_FIELDS, /* paragraphs of "Name: value", as Debian's package lists */
  CLI_CSV,    /* a header, and rows of as many cells */
  CLI_JSON    /* an object a line, an array of objects, or an object whose names are keys */
} CliFormat;

/* A record on its way. Its value is the library's record. */
typedef gboolean (*CliRecordFunc) (const char *key,
                                   gsize key_length,
                                   const guint8 *record,
                                   gsize record_length,
                                   gpointer data,
                                   GError **error);

/* How records are read. */
typedef struct
{
  const char *text;  /* (unowned) UTF-8 without a NUL, and a NUL behind it */
  gsize length;      /* its bytes */
  const char *field; /* (unowned) (nullable) that holds the key; NULL: a usual name, or the first */
  CliRecordFunc func; /* called with each */
  gpointer data;
} CliRecords;

/* What the text seems to be: FALSE where it is nothing of these. */
gboolean cli_records_detect (const char *text, gsize length, CliFormat *out_format);

/* Calls the function with each record; CLI_DAMAGED, with the line, where one is not as it should
 * be. */
gboolean cli_records_read (const CliRecords *self, CliFormat format, GError **error);

/* --- what the formats share ------------------------------------------------------------------- */

/* The index of the field that holds the key among @n names; -1 where it is none of them. */
int cli_records_choose (const CliRecords *self, const char *const *names, guint n);
/* Gives a record of names and values, strings. */
gboolean cli_records_give (const CliRecords *self,
                           const char *const *names,
                           const char *const *values,
                           guint n,
                           guint line,
                           GError **error);

gboolean cli_fields_read (const CliRecords *self, GError **error);
gboolean cli_csv_read (const CliRecords *self, GError **error);

G_END_DECLS
