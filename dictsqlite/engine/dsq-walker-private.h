/* dsq-walker-private.h - what a thread that walks has itself done to the size of its tables
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All of these are about the calling thread and need no lock. A table is known by a number that is
 * never given again, see dsq_walker_new_table(). */

guint64 dsq_walker_new_table (void);
/* A number of the thread's own. */
guint64 dsq_walker_thread (void);
/* The thread begins to walk the table. */
void dsq_walker_join (guint64 table);
/* The keys more, or fewer, that it has made of it since it first did. */
gint64 dsq_walker_get_count (guint64 table);
/* Nobody walks the table any more. */
void dsq_walker_leave (guint64 table);
/* FALSE: the thread walks no table. */
gboolean dsq_walker_walks (void);
/* Whether the thread walks the table. */
gboolean dsq_walker_has_joined (guint64 table);
/* The thread has made this many keys more, if it walks the table. */
void dsq_walker_count (guint64 table, gint64 n_keys);

/* A walk of the thread over the table has given a key of this hash, which therefore is there. */
void dsq_walker_note_given (guint64 table, guint64 hash);
gboolean dsq_walker_was_given (guint64 table, guint64 hash);

/* Whether the key of this hash, about to be set, is not there. */
void dsq_walker_expect (guint64 table, guint64 hash, gboolean is_new);
/* It is staged; a blind set, which is not counted elsewhere, counts if the key is new. */
void dsq_walker_count_staged (guint64 table, guint64 hash, gboolean is_blind);

G_END_DECLS
