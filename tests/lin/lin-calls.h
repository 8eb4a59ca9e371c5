/* lin-calls.h - the model's ops as calls of a store
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

#include "lin-model.h"

typedef struct
{
  DsqStore *store; /* (owned) */
  DsqStore *table; /* (owned) that of LIN_C */
} LinClient;

void lin_client_init (LinClient *self, DsqStore *store);
void lin_client_clear (LinClient *self);

/* An op of these to come; @fresh is a value that no other has. */
void lin_op_choose (LinOp *self, GRand *random, gint64 fresh);

/* Makes it, and notes when that was and what it gave. Any error but a conflict ends the process. */
void lin_client_call (LinClient *self, LinOp *op);

/* Reads everything by @out_ops, one after the other, of which there are LIN_N_PINS. */
#define LIN_N_PINS 7
void lin_client_pin (LinClient *self, LinOp *out_ops, LinState *out_state);
