/* dsq-store-file-private.h - from a path to a verified connection
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "codec/dsq-header-private.h"
#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* What unlocks a file, or shall lock a new one. */
typedef struct
{
  GBytes *password; /* (unowned) (nullable) */
  DsqKdfCost cost;  /* of a new file's password */
} DsqStoreLock;

/* What was learned on the way. */
typedef struct
{
  DsqHeader header;
  DsqKeys *keys; /* (owned) (nullable) of an encrypted store */
} DsqStoreIdentity;

/* Opens the store at the resolved @path for writing, in WAL mode, verified and unlocked, making it
 * when there is none. A refused file stays as it was, its log too, and nothing is left beside it.
 * The password's key is derived once. */
DsqDatabase *dsq_store_file_open (const char *path,
                                  const DsqDatabaseTuning *tuning,
                                  const DsqStoreLock *lock,
                                  DsqStoreIdentity *out_identity,
                                  GCancellable *cancellable,
                                  GError **error);

G_END_DECLS
