/* pickle-support.h - what is said of a pickle, as text
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-pack-private.h"
#include "dsq-error.h"
#include "pickle/dsq-pickle-check-private.h"

#define C_IN_M "\x8c\1m\x8c\1C\x93"

static inline gboolean
run (const char *pickle, gsize length, guint8 **out_report, gsize *out_length, GError **error)
{
  g_autofree guint8 *exact = g_memdup2 (pickle, length);

  return dsq_pickle_check_run (exact, length, out_report, out_length, error);
}

static inline void
assert_plain_length (const char *pickle, gsize length)
{
  g_autoptr (GError) error = NULL;
  guint8 *report;
  gsize report_length;

  g_assert_true (run (pickle, length, &report, &report_length, &error));
  g_assert_no_error (error);
  g_assert_null (report);
  g_assert_cmpuint (report_length, ==, 0);
}

static inline void
assert_refused_length (const char *pickle, gsize length, guint offset, const char *reason)
{
  g_autofree char *where = g_strdup_printf ("Failed to check pickle at offset %u", offset);
  g_autoptr (GError) error = NULL;
  guint8 *report;
  gsize report_length;

  g_assert_false (run (pickle, length, &report, &report_length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_VALUE);
  g_test_message ("%s", error->message);
  g_assert_true (g_str_has_prefix (error->message, where));
  g_assert_nonnull (strstr (error->message, reason));
  g_assert_null (report);
}

#define assert_plain(literal) assert_plain_length (literal, sizeof (literal) - 1)
#define assert_refused(literal, offset, reason)                                                    \
  assert_refused_length (literal, sizeof (literal) - 1, offset, reason)

/* The next item of @reader as text, with @before if there is any. */
static inline void
append_item (GString *text, DsqPackReader *reader, const char *before)
{
  const guint8 *item;
  guint32 length;

  g_assert_true (dsq_pack_reader_next (reader, &item, &length));
  if (length > 0)
    g_string_append_printf (text, "%s%.*s", before, (int) length, item);
}

/* The report as text: imports as "module.name[+value]", calls as
 * "op import[/member][:signature][!flags][=name...]". */
static inline char *
describe (const char *pickle, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *report = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  gsize report_length;
  DsqPackReader reader;
  const guint8 *head;
  guint32 n;
  guint32 n_imports;

  g_assert_true (run (pickle, length, &report, &report_length, &error));
  g_assert_no_error (error);
  g_assert_nonnull (report);
  g_assert_true (dsq_pack_reader_init (&reader, report + 4, dsq_bytes_load_u32 (report), &error));
  g_assert_true (dsq_pack_reader_next (&reader, &head, &n));
  n_imports = dsq_bytes_load_u32 (head + 1);
  for (guint32 i = 0; reader.n_left > 0; i++)
    {
      g_autoptr (GString) signature = g_string_new (NULL);

      g_assert_true (dsq_pack_reader_next (&reader, &head, &n));
      if (i < n_imports)
        {
          append_item (text, &reader, i > 0 ? " " : "");
          append_item (text, &reader, ".");
          g_string_append (text, head[0] == 1 ? "+value" : "");
          continue;
        }
      append_item (signature, &reader, ":");
      g_string_append_printf (text, " %c%u", head[0], dsq_bytes_load_u32 (head + 5));
      append_item (text, &reader, "/");
      g_string_append (text, signature->str);
      if (dsq_bytes_load_u32 (head + 1) != 0)
        g_string_append_printf (text, "!%u", dsq_bytes_load_u32 (head + 1));
      for (guint32 name = dsq_bytes_load_u32 (head + 13); name > 0; name--)
        append_item (text, &reader, "=");
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

#define assert_report(literal, expected)                                                           \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *described = describe (literal, sizeof (literal) - 1);                         \
    g_assert_cmpstr (described, ==, expected);                                                     \
  }                                                                                                \
  G_STMT_END
