/* dsq-engine-watch-private.h - who is told what changes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-private.h"
#include "engine/dsq-watcher-private.h"

G_BEGIN_DECLS

void dsq_engine_init_lookout (DsqEngine *self);
/* @watcher, the caller's, is told of every change of the table from here on, until it is removed.
 * It ends when the table is dropped, or the store is closed. */
gboolean
dsq_engine_add_watcher (DsqEngine *self, guint32 table, DsqWatcher *watcher, GError **error);
/* Not in the child of a fork. May wait for the lookout's thread to end. */
void dsq_engine_remove_watcher (DsqEngine *self, guint32 table, DsqWatcher *watcher);

/* Tells those of @owner that nothing more comes. */
void dsq_engine_end_watchers (DsqEngine *self, gconstpointer owner);

G_END_DECLS
