/* browser-part.h - what the parts of the window are made with
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* A signal of a class, and the types of what it tells. */
void browser_part_add_signal (GType type, const char *name, guint n_types, ...);
/* The class has a template of that name in the resources, with one child. */
void browser_part_set_template (GtkWidgetClass *klass, const char *name);
/* What a template has made goes. */
void browser_part_dispose (GtkWidget *widget, GType type);
/* A label for a row, which is cut where it is too long. */
GtkLabel *browser_part_add_label (GtkListItem *row);

G_END_DECLS
