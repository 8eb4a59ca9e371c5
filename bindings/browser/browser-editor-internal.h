/* browser-editor-internal.h - what the two files of the editor share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "browser-editor.h"

G_BEGIN_DECLS

/*
 * What is edited is kept beside the record that it is of. It is written only where the store still
 * has that one, in one step. What others write is learned by a watch: where nothing was edited it
 * is shown; else the user is asked which of the two is to stay.
 *
 *   read ---> record --(shown, edited)--> what is to be saved
 *               |                            |
 *             theirs <---(another one)--- compare and set
 */
struct _BrowserEditor
{
  GtkWidget parent_instance;

  /* of the template */
  GtkStack *stack;
  GtkLabel *none_label;
  GtkRevealer *conflict;
  GtkLabel *conflict_label;
  GtkEntry *key_entry;
  GtkCheckButton *json_check;
  GtkDropDown *type_drop;
  GtkLabel *type_label;
  GtkLabel *time_label;
  GtkEntry *time_entry;
  GtkTextView *text_view;
  GtkTextBuffer *buffer;
  GtkLabel *error_label;
  GtkWidget *buttons;

  DsqStore *table;    /* (owned) (nullable) */
  GBytes *key;        /* (owned) (nullable) NULL of a new entry */
  GBytes *record;     /* (owned) (nullable) what is shown, or edited; NULL: there is none */
  GBytes *theirs;     /* (owned) (nullable) what another has made of it */
  gint64 deadline;    /* of the entry, by the monotonic clock in microseconds; 0: none */
  DsqWatch *watch;    /* (owned) (nullable) */
  guint clock;        /* a source */
  guint serial;       /* moves with what is shown: answers to earlier questions are dropped */
  gboolean is_filled; /* the record has come */
  gboolean is_filling;
  gboolean is_dirty;
  gboolean is_reading;
  gboolean reads_again;
  gboolean is_writing;
  gboolean is_text; /* the value can be edited */
  gboolean has_conflict;

  /* what is shown when this one is saved */
  DsqStore *next_table; /* (owned) (nullable) */
  GBytes *next_key;     /* (owned) (nullable) */
  gboolean has_next;
};

/* A question on its way. */
typedef struct
{
  BrowserEditor *editor; /* (owned) */
  GBytes *record;        /* (owned) (nullable) what is written */
  GBytes *key;           /* (owned) */
  guint serial;
} BrowserAsked;

BrowserAsked *browser_asked_new (BrowserEditor *self, GBytes *key, GBytes *record);
void browser_asked_free (BrowserAsked *self);
void browser_take_bytes (GBytes **where, GBytes *bytes);
void browser_editor_say (BrowserEditor *self, const char *message);
void browser_editor_update_actions (BrowserEditor *self);
void browser_editor_show_conflict (BrowserEditor *self, gboolean has_conflict);
void browser_editor_fill (BrowserEditor *self);
void browser_editor_show_record (BrowserEditor *self);
void browser_editor_clear (BrowserEditor *self);
void browser_editor_read (BrowserEditor *self);
void browser_editor_go_on (BrowserEditor *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BrowserAsked, browser_asked_free)

G_END_DECLS
