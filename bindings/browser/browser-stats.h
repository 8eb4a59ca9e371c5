/* browser-stats.h - the tiers of a store, and how often each of them answers
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define BROWSER_TYPE_STATS (browser_stats_get_type ())

G_DECLARE_FINAL_TYPE (BrowserStats, browser_stats, BROWSER, STATS, GtkWidget)

/* Follows a store as long as it is on the screen; NULL: none. */
void browser_stats_show (BrowserStats *self, DsqStore *store);

G_END_DECLS
