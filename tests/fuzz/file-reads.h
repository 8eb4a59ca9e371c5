/* file-reads.h - what a store of a damaged file gives, and what it must not
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <dsq-store-records.h>

#include "file-damage.h"

typedef struct
{
  const Damage *damage;       /* (unowned) */
  const char *path;           /* (unowned) */
  GRand *rand;                /* (unowned) */
  const char *volatile *step; /* (unowned) (nullable) where it stands; NULL: it is printed */
  const char *password;       /* (unowned) (nullable) what is opened is encrypted by it */
  gboolean is_bound;          /* rows and names of tables are, so that none can be exchanged */
  gboolean has_unwritten;     /* changes that a check may bring into the file, damaged pages away */
  gboolean saw_damage;        /* of a kind that a check must find */
} Trial;

void trial_fail (const char *format, ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;
void trial_enter (Trial *self, const char *step);
/* Whether the call has succeeded; else its error, which is taken away, must be clear, and one of a
 * damaged file. */
gboolean trial_check (Trial *self, gboolean success, GError **error);
/* NULL where it cannot be opened. */
DsqStore *trial_get_table (Trial *self, DsqStore *store, guint table);
/* Everything there is to be read, and a check. */
void trial_read (Trial *self, DsqStore *store);
/* Rows that were not damaged, as long as nothing was written: there is one version of each. */
void trial_get_spared (Trial *self, DsqStore *store);
