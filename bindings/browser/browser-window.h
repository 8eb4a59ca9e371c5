/* browser-window.h - a store, in a window
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define BROWSER_TYPE_WINDOW (browser_window_get_type ())

G_DECLARE_FINAL_TYPE (BrowserWindow, browser_window, BROWSER, WINDOW, GtkApplicationWindow)

BrowserWindow *browser_window_new (GtkApplication *application);

/* Whether it has no store, and opens none. */
gboolean browser_window_is_empty (BrowserWindow *self);
/* Opens a store in it, or in another window where this one has one; asks for its password. */
void browser_window_open (BrowserWindow *self, GFile *file, gboolean read_only);

G_END_DECLS
