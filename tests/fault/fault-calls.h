/* fault-calls.h - system calls of SQLite and of the store, the n-th of which fails
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
  FAULT_N_KINDS
} FaultKind;

typedef struct
{
  FaultKind kind;
  int error;      /* what errno is set to */
  guint n;        /* calls of the kind that are made before one fails */
  gboolean stays; /* all after it fail as well */
} Fault;

/* Before SQLite is used first. */
void fault_install (void);

/* Counts calls from 0 again; NULL: none fails. */
void fault_arm (const Fault *fault);
gboolean fault_was_met (void);
guint fault_get_n_calls (FaultKind kind);

const char *fault_kind_get_name (FaultKind kind);
