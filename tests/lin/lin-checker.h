/* lin-checker.h - whether calls that overlapped can have been made one after the other
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "lin-model.h"

#define LIN_MAX_OPS 64

typedef struct _LinChecker LinChecker;

LinChecker *lin_checker_new (void);
void lin_checker_free (LinChecker *self);

/* Whether there is an order of @ops in which each gave what it gives then, beginning with @start,
 * and none is behind one that began when it had ended. At most LIN_MAX_OPS of them. */
gboolean lin_checker_check (LinChecker *self, const LinState *start, const LinOp *ops, guint n_ops);

/* How many orders were begun in the last check. */
guint lin_checker_get_n_steps (LinChecker *self);

/* The ops, a line each. */
char *lin_describe (const LinState *start, const LinOp *ops, guint n_ops);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LinChecker, lin_checker_free)
