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
  guint8 numbers[10];
  char signature[DSQ_PICKLE_SIG_LENGTH + 33];
  gsize length = MIN (call->n_arguments, DSQ_PICKLE_SIG_LENGTH);

  numbers[0] = (guint8) call->op;
  numbers[1] = call->flags;
  dsq_bytes_store_u32 (numbers + 2, call->import);
  dsq_bytes_store_u32 (numbers + 6, call->base);
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
}

guint8 *
dsq_pickle_report (DsqPickleMachine *self, gsize *out_length, GError **error)
{
  DsqPackBuilder *pack = dsq_pack_builder_new ();
  const GPtrArray *imports = self->calls->imports;
  const GPtrArray *calls = self->calls->calls;
  gsize n_offsets = imports->len + calls->len;
  g_autofree guint8 *packed = NULL;
  gsize packed_length;
  guint8 *report;
  guint8 head[5];

  head[0] = self->protocol;
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

  /* offsets come behind the pack, so that pickles of one shape have one pack */
  *out_length = sizeof (guint32) * (1 + n_offsets) + packed_length;
  report = g_malloc (*out_length);
  dsq_bytes_store_u32 (report, (guint32) packed_length);
  memcpy (report + sizeof (guint32), packed, packed_length);
  for (guint i = 0; i < n_offsets; i++)
    dsq_bytes_store_u32 (report + sizeof (guint32) * (1 + i) + packed_length,
                         i < imports->len
                             ? ((const DsqPickleImport *) imports->pdata[i])->offset
                             : ((const DsqPickleCall *) calls->pdata[i - imports->len])->offset);
  return report;
}
