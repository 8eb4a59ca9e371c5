/* file-damage.h - files as they should not be
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "file-image.h"

typedef struct
{
  const Image *image; /* (unowned) what it was */
  GByteArray *file;   /* (owned) */
  GByteArray *log;    /* (owned) */
  GString *what;      /* (owned) what was done to it */
  GArray *pages;      /* (owned) of guint32: those of the file that are not what they were */
  GArray *places;     /* (owned) of gint64: rows that are not what they were */
  gboolean is_local;  /* nothing else is damaged, and pages are rows' alone */
} Damage;

Damage *damage_new (const Images *images, GRand *rand);
void damage_free (Damage *self);
/* Whether a row of the image can be what it was. */
gboolean damage_spares (const Damage *self, const ImageRow *row);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Damage, damage_free)

/* --- of the files of the damage --------------------------------------------------------------- */

/* From now on choices are made as these bytes say, and by chance only where they have ended. */
void damage_follow (const guint8 *bytes, gsize length);
guint damage_pick (GRand *rand, guint n);
void damage_pages (Damage *self, const Images *images, GRand *rand);
void damage_log (Damage *self, const Images *images, GRand *rand);
void damage_rows (Damage *self, GRand *rand);
