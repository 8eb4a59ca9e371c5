/* dsq-engine-watch-private.h - who is told what changes
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine/dsq-engine-private.h"
#include "engine/dsq-watcher-private.h"

G_BEGIN_DECLS

void dsq_engine_init_lookout (DsqEngine *self);
/* @watcher, the caller's, is told of every change of its table from here on, until it is removed.
 * It ends when the table is dropped, or the store is closed. */
gboolean dsq_engine_add_watcher (DsqEngine *self, DsqWatcher *watcher, GError **error);
/* Not in the child of a fork. May wait for the lookout's thread to end. */
void dsq_engine_remove_watcher (DsqWatcher *watcher);

/* Those of @owner that @from has, which has the same file and whose tables were adopted, are told
 * by this one from here on, and miss nothing. */
gboolean
dsq_engine_move_watchers (DsqEngine *self, DsqEngine *from, gconstpointer owner, GError **error);

/* Tells those of @owner that nothing more comes. */
void dsq_engine_end_watchers (DsqEngine *self, gconstpointer owner);

G_END_DECLS
