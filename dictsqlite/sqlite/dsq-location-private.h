/* dsq-location-private.h - what stands at a path, told before SQLite touches it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

typedef enum
{
  DSQ_LOCATION_MISSING,
  /* A file of no bytes. */
  DSQ_LOCATION_EMPTY,
  /* By its first bytes a store of this version. */
  DSQ_LOCATION_STORE
} DsqLocation;

/* The absolute form of @path (filename encoding), every link in its folder followed, and the path
 * itself where it is a link of this user's in a folder of this user's to something that is there;
 * other links give DSQ_ERROR_NOT_REGULAR. It is good whatever the working folder will be. Gives
 * DSQ_ERROR_NOT_FOUND without that folder. */
char *dsq_location_resolve (const char *path, GError **error);

/* Looks at the resolved @path without leaving anything behind. Gives DSQ_ERROR_NOT_REGULAR,
 * DSQ_ERROR_FORMAT, DSQ_ERROR_PERMISSION or, unless it is for reading only, DSQ_ERROR_READ_ONLY
 * when no store can be there, and what dsq_sidecars_check() gives. *out_reader is the connection
 * that it was looked at by, of a store, else NULL; it waits for nobody. */
gboolean dsq_location_inspect (const char *path,
                               gboolean for_reading,
                               DsqLocation *out_location,
                               DsqDatabase **out_reader,
                               GError **error);

/* Bytes of the file and of its log, -1 when there is none. */
gint64 dsq_location_get_size (const char *path);
gint64 dsq_location_get_wal_size (const char *path);
/* Whether the index of its log stands beside the file. */
gboolean dsq_location_has_index (const char *path);
/* The same, and it is more than what is left of one that there was no room for. */
gboolean dsq_location_has_filled_index (const char *path);

/* Nanoseconds from 1970 to the last write to the file itself, -1 when there is none. */
gint64 dsq_location_get_write_time (const char *path);

/* Which file stands at a path. */
typedef struct
{
  guint64 device;
  guint64 inode;
} DsqLocationIdentity;

gboolean
dsq_location_identify (const char *path, DsqLocationIdentity *out_identity, GError **error);

/* Whether the file there has no other name; DSQ_ERROR_NOT_REGULAR if it has. Each name has a log of
 * its own, so that who opens it by another one would write over what is written by this one. */
gboolean dsq_location_check_names (const char *path, GError **error);

G_END_DECLS
