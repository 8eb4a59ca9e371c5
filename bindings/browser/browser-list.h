/* browser-list.h - the entries of a table, by the beginning of their keys
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define BROWSER_TYPE_LIST (browser_list_get_type ())

G_DECLARE_FINAL_TYPE (BrowserList, browser_list, BROWSER, LIST, GtkWidget)

/* It has the signals
 *
 *   selected (GBytes *key): another entry is selected, none where that is NULL
 *   activated (): the selected entry is to be edited
 *   failed (GError *error) */

/* Lists a table; NULL: nothing. */
void browser_list_show (BrowserList *self, DsqStore *table);
/* Has the next letters typed choose what keys begin with. */
void browser_list_search (BrowserList *self);

G_END_DECLS
