/* dsq-pickle-report.c - what a pickle imports and calls, told to its loader
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-pack-private.h"
#include "pickle/dsq-pickle-calls-private.h"
#include "pickle/dsq-pickle-notes-private.h"

/* The form is documented where it is public, at dsq_pickle_check(). */

static void
add_name (DsqPackBuilder *pack, DsqPickleName name)
{
  dsq_pack_builder_add (pack, name.bytes, name.length);
}

static void
report_call (DsqPackBuilder *pack, const DsqPickleCall *call)
{
  guint8 numbers[17];
  char signature[DSQ_PICKLE_SIG_LENGTH + 33];
  gsize length = MIN (call->n_arguments, DSQ_PICKLE_SIG_LENGTH);

  numbers[0] = (guint8) call->op;
  dsq_bytes_store_u32 (numbers + 1, call->flags);
  dsq_bytes_store_u32 (numbers + 5, call->import);
  dsq_bytes_store_u32 (numbers + 9, call->base);
  dsq_bytes_store_u32 (numbers + 13, call->names != NULL ? call->names->len : 0);
  dsq_pack_builder_add (pack, numbers, sizeof numbers);

  memcpy (signature, call->signature, length);
  if (call->n_arguments > DSQ_PICKLE_SIG_LENGTH)
    {
      signature[length++] = '*';
      for (guint kind = 0; kind < 32; kind++)
        if ((call->rest >> kind & 1) != 0)
          signature[length++] = dsq_pickle_letter (kind);
    }
  dsq_pack_builder_add (pack, (const guint8 *) signature, length);
  add_name (pack, call->member);
  for (guint i = 0; call->names != NULL && i < call->names->len; i++)
    add_name (pack, g_array_index (call->names, DsqPickleName, i));
}

/* Behind the pack, so that pickles of one shape have one pack: offsets, and weights if they count.
 */
static void
report_numbers (DsqPickleMachine *self, GByteArray *report)
{
  const GPtrArray *imports = self->calls->imports;
  const GPtrArray *calls = self->calls->calls;
  guint8 number[8];

  for (guint i = 0; i < imports->len + calls->len; i++)
    {
      dsq_bytes_store_u32 (number,
                           i < imports->len ? dsq_pickle_import_at (self, i)->offset
                                            : dsq_pickle_call_at (self, i - imports->len)->offset);
      g_byte_array_append (report, number, sizeof (guint32));
    }
  for (guint i = 0; self->has_weights && i < calls->len; i++)
    {
      const DsqPickleCall *call = dsq_pickle_call_at (self, i);
      const guint64 weights[] = { call->n_instances, call->given, call->copied, call->hashed };

      for (guint k = 0; k < G_N_ELEMENTS (weights); k++)
        {
          dsq_bytes_store_u64 (number, weights[k]);
          g_byte_array_append (report, number, sizeof (guint64));
        }
    }
}

guint8 *
dsq_pickle_report (DsqPickleMachine *self, gsize *out_length, GError **error)
{
  DsqPackBuilder *pack = dsq_pack_builder_new ();
  const GPtrArray *imports = dsq_pickle_calls_of (self)->imports;
  const GPtrArray *calls = self->calls->calls;
  g_autofree guint8 *packed = NULL;
  gsize packed_length;
  GByteArray *report;
  guint8 head[5];

  head[0] = self->protocol;
  if (self->n_pairs > DSQ_PICKLE_FEW_PAIRS (self->length))
    head[0] |= DSQ_PICKLE_LOOK_AT_KEYS;
  dsq_bytes_store_u32 (head + 1, imports->len);
  dsq_pack_builder_add (pack, head, sizeof head);
  for (guint i = 0; i < imports->len; i++)
    {
      const DsqPickleImport *import = imports->pdata[i];

      dsq_pack_builder_add (pack, &import->uses, 1);
      add_name (pack, import->module);
      add_name (pack, import->name);
    }
  for (guint i = 0; i < calls->len; i++)
    report_call (pack, calls->pdata[i]);
  packed = dsq_pack_builder_finish (pack, &packed_length, error);
  if (packed == NULL)
    return NULL;

  report = g_byte_array_sized_new ((guint) packed_length + 64);
  dsq_bytes_store_u32 (head, (guint32) packed_length);
  g_byte_array_append (report, head, sizeof (guint32));
  g_byte_array_append (report, packed, (guint) packed_length);
  report_numbers (self, report);
  *out_length = report->len;
  return g_byte_array_free (report, FALSE);
}
