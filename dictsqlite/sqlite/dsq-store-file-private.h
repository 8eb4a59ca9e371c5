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
  guint64 limit;    /* of what one that is there may cost */
} DsqStoreLock;

/* What was learned on the way. */
typedef struct
{
  DsqHeader header;
  DsqKeys *keys; /* (owned) (nullable) of an encrypted store */
} DsqStoreIdentity;

/* Opens the store at the resolved @path for writing, in WAL mode, verified and unlocked, making it
 * when there is none. A refused file stays as it was, its log too, and nothing is left beside it.
 * The password's key is derived once. *out_reader has verified what @path meant a moment before; it
 * is not tuned. */
DsqDatabase *dsq_store_file_open (const char *path,
                                  const DsqDatabaseTuning *tuning,
                                  const DsqStoreLock *lock,
                                  DsqStoreIdentity *out_identity,
                                  DsqDatabase **out_reader,
                                  GError **error);

/* Opens the store at the resolved @path, which must be there, without writing to it. *out_role is
 * what further connections are to be opened as. */
DsqDatabase *dsq_store_file_open_for_reading (const char *path,
                                              const DsqDatabaseTuning *tuning,
                                              const DsqStoreLock *lock,
                                              DsqStoreIdentity *out_identity,
                                              DsqDatabaseRole *out_role,
                                              GError **error);

/* Verifies what @database has, and unlocks it, unless it is what was unlocked, or made, before. */
gboolean dsq_store_file_verify (DsqDatabase *database,
                                const DsqStoreLock *lock,
                                DsqStoreIdentity *identity,
                                GError **error);

/* What lay beside a file before it was looked at. */
typedef struct
{
  gboolean log;
  gboolean index;
} DsqStoreBeside;

DsqStoreBeside dsq_store_file_look_beside (const char *path);
/* Reading from a file in WAL mode makes an empty log, and its index. Removes what was not there,
 * unless somebody else has the file. */
void dsq_store_file_remove_traces (const char *path, DsqStoreBeside before);

G_END_DECLS
