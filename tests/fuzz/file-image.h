/* file-image.h - stores' files as bytes, and what lies where in them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#define IMAGE_PASSWORD "a password that is known"

/* The least that there may be. */
#define IMAGE_KDF_MEMORY G_GUINT64_CONSTANT (19922944)
#define IMAGE_KDF_PASSES 2u

/* What a row's content can depend on. */
typedef struct
{
  gint64 place;
  guint table;   /* its number among content_tables */
  guint number;  /* of its key */
  GArray *pages; /* (owned) of guint32: where the row lies, its overflow included */
} ImageRow;

typedef struct
{
  gboolean is_encrypted;
  GByteArray *file; /* (owned) */
  GByteArray *log;  /* (owned) the -wal beside it; empty for none */
  GArray *rows;     /* (owned) of ImageRow; none are known of one with a log */
} Image;

/* The first of each kind is whole and newest, then one of before, then one whose newest commits
 * are in its log. */
#define IMAGE_N_STATES 3
#define IMAGE_N        (2 * IMAGE_N_STATES)

typedef struct
{
  Image images[IMAGE_N]; /* plain, then encrypted */
} Images;

#define IMAGE_PAGE_SIZE 4096

/* In memory if that can be; removed with the files that are in it. */
char *images_make_folder (void);
void images_remove_folder (const char *folder);
/* Makes the files in @folder, which is left empty. */
Images *images_new (const char *folder);
void images_free (Images *self);

/* The image's file opened by SQLite in memory, to be changed, and its bytes taken from there. */
struct sqlite3 *image_open (const GByteArray *file);
GByteArray *image_take (struct sqlite3 *handle);

guint32 image_get_u32 (const guint8 *at);
