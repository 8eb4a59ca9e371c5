/* browser-support.h - the browser as somebody before the screen has it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <gtk/gtk.h>

#include "browser-window.h"

G_BEGIN_DECLS

typedef struct
{
  GApplication *application; /* (owned) */
  BrowserWindow *window;     /* (unowned) */
  char *folder;              /* (owned) */
  char *path;                /* (owned) of a store in it */
} Seat;

void seat_init (Seat *self, gconstpointer unused);
void seat_clear (Seat *self, gconstpointer unused);
/* Adds a test that begins with a window without a store. */
void seat_add (const char *name, void (*test) (Seat *, gconstpointer));

/* Makes the store, with the keys key/0000000 and so on. */
void seat_fill (Seat *self, guint n_keys);
/* Opens a file in the window, and waits until that shows what it makes of it. */
void seat_open (Seat *self, const char *path, gboolean read_only);
void seat_open_store (Seat *self);

/* Runs the loop until it is so, or fails when it is not in time. */
#define seat_until(is_so)                                                                          \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 until_ = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;                                 \
    while (!(is_so))                                                                               \
      {                                                                                            \
        if (g_get_monotonic_time () > until_)                                                      \
          g_error ("%s:%d: not in time: %s", __FILE__, __LINE__, #is_so);                          \
        if (!g_main_context_iteration (NULL, FALSE))                                               \
          g_usleep (1000);                                                                         \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

/* Whether a label or a text on the screen has it in it. */
gboolean seat_sees (Seat *self, const char *text);
/* A part of the window, or of its list or editor, by its name. */
gpointer seat_part (Seat *self, const char *name);
void seat_act (Seat *self, const char *action);
/* Whether a button of that action can be pressed. */
gboolean seat_can (Seat *self, const char *action);
/* Whether all that was typed is in the store. */
gboolean seat_is_saved (Seat *self);
/* Clicks the button with that label. */
void seat_click (Seat *self, const char *label);
void seat_type (Seat *self, const char *part, const char *text);
/* Types a value into the editor. */
void seat_type_value (Seat *self, const char *text);
char *seat_value (Seat *self);
/* Selects the row of a key, and waits until the editor shows it. */
void seat_select (Seat *self, const char *key);
guint seat_rows (Seat *self);
/* Lets the loop run a while: what should not happen would. */
void seat_linger (guint milliseconds);

/* Another process: dsq, with these words, whose output must begin with @expected. */
void other (const char *expected, ...) G_GNUC_NULL_TERMINATED;

G_END_DECLS
