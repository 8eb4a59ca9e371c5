/* dsq-key-pages-internal.h - what the two files of the pages share
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dsq-key-pages-private.h"

G_BEGIN_DECLS

/* Rows that a page is made of. */
#define DSQ_KEY_PAGE_ROWS 256

/* Keys that one reading looks at. */
#define DSQ_KEY_MAX_READ 4096

static inline DsqKeyRow *
dsq_key_row_at (const DsqKeyPage *self, guint i)
{
  return &g_array_index (self->rows, DsqKeyRow, i);
}

static inline DsqKeyPage *
dsq_key_page_at (const DsqKeyPages *self, guint i)
{
  return self->pages->pdata[i];
}

DsqKeyPage *dsq_key_page_new (const DsqKeyAnchor *from);
void dsq_key_row_clear (gpointer row);

/* Has start and index of all pages right. */
void dsq_key_pages_place (DsqKeyPages *self);
/* Those of this page and all behind it are not any more. */
void dsq_key_pages_unplace (DsqKeyPages *self, guint index);

void dsq_key_pages_drop_item (DsqKeyPages *self, DsqKeyRow *row);
/* It is in the queue of pages with items no more. */
void dsq_key_pages_forget_recent (DsqKeyPages *self, DsqKeyPage *page);
/* Sees which items its rows have, and whether any of them waits. */
void dsq_key_pages_see_items (DsqKeyPages *self, DsqKeyPage *page);
/* Keeps few items that nobody else has. */
void dsq_key_pages_limit_items (DsqKeyPages *self);

G_END_DECLS
