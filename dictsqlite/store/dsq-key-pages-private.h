/* dsq-key-pages-private.h - what a list of keys says it holds
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dsq-item-private.h"
#include "store/dsq-key-reading-private.h"

G_BEGIN_DECLS

/* Tells that the list has changed; it is as it will have been told when this is called. May free
 * what calls it. */
typedef void (*DsqKeyPagesFunc) (guint position, guint n_removed, guint n_added, gpointer data);

typedef struct
{
  guint64 hash;
  DsqItem *item; /* (owned) (nullable) */
} DsqKeyRow;

/* A part of the keys, up to where the next one begins. */
typedef struct
{
  DsqKeyAnchor from;
  GArray *rows;       /* (owned) of DsqKeyRow */
  guint n_passed;     /* keys in between that are not shown */
  guint start;        /* position of its first row, and */
  guint index;        /* its own, while n_placed of the pages is greater than that */
  gboolean is_due;    /* it is to be read, */
  gboolean is_wanted; /* ... and somebody waits */
  gboolean is_recent; /* it has items, and is in the queue */
  GList link;         /* in the queue of those that have */
} DsqKeyPage;

/* One thread has it. */
typedef struct
{
  guint n_references;
  gboolean is_over; /* nothing that it holds counts any more */
  gboolean by_key;
  DsqKeyPagesFunc func; /* constant */
  gpointer data;        /* constant */
  GPtrArray *pages;     /* (owned) of DsqKeyPage: of all keys that have been met */
  guint n_placed;       /* pages whose start and index are right */
  guint n_rows;         /* of all pages */
  GQueue recent;        /* of pages with items, the one looked at last first */
  guint n_items;        /* of all pages */

  gboolean has_gap;    /* keys behind the pages have not been met */
  guint n_gap;         /* how many */
  DsqKeyAnchor gap;    /* where they begin */
  gboolean is_gap_due; /* something has changed since they were asked for */
  GHashTable *waiting; /* (owned) DsqItem (owned) by the offset into the gap */
} DsqKeyPages;

/* @is_counted: the number of keys is told, before they are met. */
DsqKeyPages *
dsq_key_pages_new (gboolean by_key, gboolean is_counted, DsqKeyPagesFunc func, gpointer data);
void dsq_key_pages_unref (DsqKeyPages *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DsqKeyPages, dsq_key_pages_unref)

static inline guint
dsq_key_pages_count (const DsqKeyPages *self)
{
  return self->n_rows + self->n_gap;
}

/* (full) The item at a position that is there; what is to be read for it is wanted from here on. */
DsqItem *dsq_key_pages_get_item (DsqKeyPages *self, guint position);

/* Something has changed: all of it with NULL, else keys, as C strings. */
void dsq_key_pages_note (DsqKeyPages *self, const char *const *keys, guint32 table);

/* Makes @reading ask for what is to be read next. FALSE: nothing is. */
gboolean
dsq_key_pages_ask (DsqKeyPages *self, DsqKeyReading *reading, gint64 settled_end, int *out_page);
/* What was asked for has been read: tells what is another, and loads items. */
void dsq_key_pages_learn (DsqKeyPages *self, DsqKeyReading *reading, int page);
/* It has not: it is to be asked for again. */
void dsq_key_pages_give_back (DsqKeyPages *self, int page);
/* Places from @settled_end on have shifted. Whether that concerned any. */
gboolean dsq_key_pages_shift (DsqKeyPages *self, gint64 settled_end);
/* There is nothing any more. */
void dsq_key_pages_empty (DsqKeyPages *self);

G_END_DECLS
