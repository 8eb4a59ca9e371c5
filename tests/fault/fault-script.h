/* fault-script.h - all that a store does, one after the other, and what must come of it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

#define SCRIPT_OLD_PASSWORD "old"
#define SCRIPT_NEW_PASSWORD "new"
#define SCRIPT_N_FILL       40 /* entries that are there before */
#define SCRIPT_MAX_STEPS    48

typedef enum
{
  SLOT_A,
  SLOT_B,
  SLOT_C,
  SLOT_BIG,
  SLOT_IN_TABLE,
  N_SLOTS
} Slot;

/* What a store holds. */
typedef struct
{
  gint64 values[N_SLOTS]; /* 0: it is missing */
  gint64 n_fill;
  gboolean has_new_password;
} ScriptState;

typedef struct
{
  const char *path; /* (unowned) */
  const char *copy; /* (unowned) */
  DsqPersistMode mode;
  gboolean background;
  gboolean encrypted;
  DsqStore *store; /* (owned) (nullable) */
} Script;

typedef struct
{
  const char *name;
  gboolean (*call) (Script *script, GError **error);
  void (*change) (ScriptState *state); /* (nullable) */
  gboolean is_barrier;                 /* when it returns, everything is in the file */
} ScriptStep;

extern const ScriptStep script_steps[];
extern const guint script_n_steps;

void script_state_init (ScriptState *self);

DsqStore *script_open (Script *self, DsqPersistMode mode, const char *password, GError **error);

/* Reads all of it; FALSE with @error. */
gboolean script_read (Script *self, ScriptState *out_state, GError **error);

/* Fills a new store with what is there before the first step. */
void script_fill (Script *self);
