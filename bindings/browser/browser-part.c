/* browser-part.c - what the parts of the window are made with
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "browser-part.h"

void
browser_part_add_signal (GType type, const char *name, guint n_types, ...)
{
  va_list types;

  va_start (types, n_types);
  g_signal_new_valist (name,
                       type,
                       G_SIGNAL_RUN_LAST,
                       NULL,
                       NULL,
                       NULL,
                       NULL,
                       G_TYPE_NONE,
                       n_types,
                       types);
  va_end (types);
}

void
browser_part_set_template (GtkWidgetClass *klass, const char *name)
{
  g_autofree char *path = g_strconcat ("/org/dictsqlite/Browser/", name, NULL);

  gtk_widget_class_set_layout_manager_type (klass, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_template_from_resource (klass, path);
}

void
browser_part_dispose (GtkWidget *widget, GType type)
{
  GtkWidget *child = gtk_widget_get_first_child (widget);

  g_clear_pointer (&child, gtk_widget_unparent);
  gtk_widget_dispose_template (widget, type);
}

GtkLabel *
browser_part_add_label (GtkListItem *row)
{
  GtkLabel *label = GTK_LABEL (gtk_label_new (NULL));

  gtk_label_set_xalign (label, 0);
  gtk_label_set_ellipsize (label, PANGO_ELLIPSIZE_END);
  gtk_list_item_set_child (row, GTK_WIDGET (label));
  return label;
}
