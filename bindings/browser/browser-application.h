/* browser-application.h - the program: its command line, its windows
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define BROWSER_TYPE_APPLICATION (browser_application_get_type ())

G_DECLARE_FINAL_TYPE (BrowserApplication, browser_application, BROWSER, APPLICATION, GtkApplication)

BrowserApplication *browser_application_new (void);

G_END_DECLS
