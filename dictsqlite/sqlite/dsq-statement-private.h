/* dsq-statement-private.h - a prepared statement
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-database-private.h"

G_BEGIN_DECLS

/* A statement belongs to its connection's thread. */
typedef struct
{
  sqlite3_stmt *handle;  /* (owned) (nullable) NULL while it is only planned */
  DsqDatabase *database; /* (unowned) outlives the statement */
  const char *purpose;   /* (unowned) (static) verb and object of its errors */
  const char *sql;       /* (unowned) (static) (nullable) of one that is planned */
  GError *failure;       /* (owned) (nullable) why it could not be prepared to be bound */
} DsqStatement;

typedef enum
{
  DSQ_STEP_FAILED,
  DSQ_STEP_ROW,
  DSQ_STEP_DONE
} DsqStep;

gboolean dsq_statement_prepare (DsqStatement *self,
                                DsqDatabase *database,
                                const char *sql,
                                const char *purpose,
                                GError **error);
/* Leaves that to its first use, whose step tells what then fails. @sql outlives the statement. */
void dsq_statement_plan (DsqStatement *self,
                         DsqDatabase *database,
                         const char *sql,
                         const char *purpose);
/* Prepares one that is planned. */
gboolean dsq_statement_make (DsqStatement *self, GError **error);
void dsq_statement_clear (DsqStatement *self);

/* After a failure the statement is reset already. */
DsqStep dsq_statement_step (DsqStatement *self, GError **error);

/* Steps a statement that gives no rows, and resets it. */
gboolean dsq_statement_run (DsqStatement *self, GError **error);

static inline void
dsq_statement_reset (DsqStatement *self)
{
  sqlite3_reset (self->handle);
}

/* A statement that could not be prepared is not stepped until it has told so. */
void dsq_statement_make_to_bind (DsqStatement *self);

static inline gboolean
dsq_statement_can_bind (DsqStatement *self)
{
  if (G_UNLIKELY (self->handle == NULL))
    dsq_statement_make_to_bind (self);
  return G_LIKELY (self->handle != NULL);
}

static inline void
dsq_statement_bind_number (DsqStatement *self, int at, gint64 number)
{
  if (dsq_statement_can_bind (self))
    sqlite3_bind_int64 (self->handle, at, number);
}

/* @bytes, not NULL, must outlive the binding. Limits of the connection are the caller's to keep. */
static inline void
dsq_statement_bind_bytes (DsqStatement *self, int at, const guint8 *bytes, gsize length)
{
  if (dsq_statement_can_bind (self))
    sqlite3_bind_blob64 (self->handle, at, bytes, length, SQLITE_STATIC);
}

static inline void
dsq_statement_bind_null (DsqStatement *self, int at)
{
  if (dsq_statement_can_bind (self))
    sqlite3_bind_null (self->handle, at);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqStatement, dsq_statement_clear)

G_END_DECLS
