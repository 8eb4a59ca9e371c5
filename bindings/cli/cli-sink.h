/* cli-sink.h - entries on their way into a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-pack.h"
#include "cli-walk.h"

G_BEGIN_DECLS

/* Takes entries one by one and sets many at once, in their order; each such step is all or none. */
typedef struct
{
  DsqStore *store;   /* (unowned) */
  DsqStore *table;   /* (owned) (nullable) the one that entries went to last */
  GBytes *name;      /* (owned) (nullable) its name, NULL for that which a store opens with */
  CliPacker packer;  /* what is held */
  guint64 n_entries; /* that are set */
} CliSink;

void cli_sink_init (CliSink *self, DsqStore *store);
void cli_sink_clear (CliSink *self);

/* Takes an entry; one without a key only makes its table. A CliEntryFunc. */
gboolean cli_sink_add (const CliEntry *entry, gpointer sink, GError **error);
/* Sets what is held. */
gboolean cli_sink_flush (CliSink *self, GError **error);

/* Ends it: what was taken is set and the store, of @path, closed, whether what gave the entries was
 * a success or not. Then the output says how many there are and @done, as in "12 entries loaded",
 * or the error does. */
gboolean
cli_sink_end (CliSink *self, const char *path, gboolean success, const char *done, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliSink, cli_sink_clear)

G_END_DECLS
