/* fault-vfs.h - the system calls that SQLite makes: failing, slow or recorded
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef enum
{
  FAULT_OPEN,
  FAULT_READ,
  FAULT_WRITE,
  FAULT_SHORT_WRITE, /* half of it is written, and the next one fails */
  FAULT_SYNC,
  FAULT_TRUNCATE,
  FAULT_MAP,
  FAULT_LOCK,
  FAULT_REMOVE,
  FAULT_FOLDER_SYNC,
  FAULT_MEMORY, /* SQLite's allocator */
  FAULT_N_KINDS,
  FAULT_UNLOCK = FAULT_N_KINDS /* is slow at most: giving back does not fail */
} FaultKind;

/* Of which file, as bits. */
typedef enum
{
  FAULT_OTHER = 1 << 0, /* and what SQLite has not opened */
  FAULT_STORE = 1 << 1,
  FAULT_LOG = 1 << 2,
  FAULT_TEMPORARY = 1 << 3,
  FAULT_LASTING = FAULT_STORE | FAULT_LOG,
  FAULT_ALL = 0xF
} FaultFiles;

typedef struct
{
  FaultKind kind;
  int error;        /* what errno is set to */
  guint n;          /* calls of the kind that are made before one fails */
  gboolean stays;   /* all after it fail as well */
  FaultFiles files; /* whose calls they are, 0 for all */
} Fault;

/* A call that is about to be made. */
typedef struct
{
  FaultKind kind; /* one that writes, truncates, syncs, removes, or opens what was not there */
  FaultFiles file;
  const void *bytes; /* (unowned) that are written */
  gsize length;
  gint64 offset; /* or the size that it is cut to */
} FaultCall;

/* Before SQLite is used first. */
void fault_install (void);

/* Counts calls from 0 again; NULL: none fails. */
void fault_arm (const Fault *fault);
gboolean fault_was_met (void);

/* The calls of the kind on any such file. */
guint fault_get_n_calls (FaultKind kind, FaultFiles files);

/* Counts the calls that the calling thread makes from now on, all but those of the allocator. */
void fault_watch_thread (void);
guint fault_get_n_watched (void);

/* What each of these calls takes from now on; a sync that is under way, too. */
void fault_set_delay (FaultKind kind, FaultFiles files, guint microseconds);

/* Is told of each call, by whichever thread makes it; syncs are not made from now on. */
void fault_record (void (*record) (const FaultCall *call));

const char *fault_kind_get_name (FaultKind kind);
