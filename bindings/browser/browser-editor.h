/* browser-editor.h - one entry, shown and edited
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define BROWSER_TYPE_EDITOR (browser_editor_get_type ())

G_DECLARE_FINAL_TYPE (BrowserEditor, browser_editor, BROWSER, EDITOR, GtkWidget)

/* It has the actions entry.save, entry.revert and entry.delete, and the signals
 *
 *   failed (GError *error)
 *   settled (), when what was to be saved or deleted is, or could not be
 *   deleted (DsqStore *table, GBytes *key, GBytes *record, gint64 milliseconds) */

/* Shows an entry of a table, or nothing where that is NULL. While it holds what was not saved it
 * stays with that, shows the new one afterwards, and gives TRUE. */
gboolean browser_editor_show (BrowserEditor *self, DsqStore *table, GBytes *key);
/* Is for a new entry of the table. */
void browser_editor_make (BrowserEditor *self, DsqStore *table);
/* Whether it holds what was not saved, or not yet. */
gboolean browser_editor_is_dirty (BrowserEditor *self);
gboolean browser_editor_is_writing (BrowserEditor *self);
/* Throws away what was not saved. */
void browser_editor_revert (BrowserEditor *self);

G_END_DECLS
