/* dsq-key-reading-private.h - a part of a table's keys, read for a list
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dsq-store-private.h"

G_BEGIN_DECLS

/* Where a part of the keys begins: by place, or by key where the list is in that order. */
typedef struct
{
  gint64 place; /* that of the first, or less */
  GBytes *key;  /* (owned) (nullable) the first, or less; NULL: the first of all */
} DsqKeyAnchor;

void dsq_key_anchor_copy (DsqKeyAnchor *self, const DsqKeyAnchor *from);
void dsq_key_anchor_clear (DsqKeyAnchor *self);

/* How places are counted. They shift where keys wait for the file and others' come before them. */
typedef struct
{
  const DsqEngine *engine; /* (unowned) whose they are; never looked into */
  guint64 n_shifts;
  gint64 settled_end; /* places below stay */
} DsqKeyPlaces;

typedef struct
{
  guint64 hash; /* of the key */
  gint64 place;
  DsqEntry *entry; /* (owned) its key; its record may be missing */
  DsqEntry *value; /* (owned) (nullable) with its record, where that was asked for */
} DsqKeyFound;

/* What is to be read, and what was. One thread has it at a time. */
typedef struct
{
  DsqJob job;     /* for who has it read by a thread of the store's, */
  gpointer owner; /* (unowned) ... and who that is */

  /* asked */
  DsqStore *store;     /* (owned) */
  gboolean by_key;     /* the order; else that of the store */
  GBytes *prefix;      /* (owned) what the keys begin with */
  DsqKeyAnchor from;   /* the part begins here, */
  DsqKeyAnchor end;    /* ... and ends before this, */
  gboolean has_end;    /* ... if at all */
  guint max_keys;      /* the most to be looked at; 0: the number of keys alone */
  GHashTable *wanted;  /* (owned) (nullable) of gint64: hashes of keys whose values are wanted */
  gboolean is_settled; /* the part is where it is, whatever was shifted */
  DsqKeyPlaces places; /* in: as known; out: as they are */

  /* answered */
  GArray *found;     /* (owned) of DsqKeyFound, in their order */
  guint n_passed;    /* keys that have not the prefix */
  gboolean is_all;   /* of the part */
  DsqKeyAnchor next; /* if not: where the rest of it begins */
  guint64 n_keys;    /* of the table; not asked for with a prefix */
  gboolean is_void;  /* places have shifted, and nothing was read */
  GError *error;     /* (owned) (nullable) */
} DsqKeyReading;

DsqKeyReading *dsq_key_reading_new (DsqStore *store, gboolean by_key, GBytes *prefix);
void dsq_key_reading_free (DsqKeyReading *self);
/* Reads. May wait for the file. */
void dsq_key_reading_run (DsqKeyReading *self);

G_END_DECLS
