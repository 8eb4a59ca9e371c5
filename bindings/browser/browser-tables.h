/* browser-tables.h - the tables of a store as a list
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define BROWSER_TYPE_TABLES (browser_tables_get_type ())

G_DECLARE_FINAL_TYPE (BrowserTables, browser_tables, BROWSER, TABLES, GObject)

/* The main table first. It has the signals
 *
 *   selected (DsqStore *table)
 *   failed (GError *error) */
BrowserTables *browser_tables_new (GtkListView *view);

/* Lists those of a store, and follows what becomes of them; NULL: nothing. */
void browser_tables_show (BrowserTables *self, DsqStore *store);

G_END_DECLS
