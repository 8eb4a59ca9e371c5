/* dsq-server-row.c - a row on its way to the server
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An INSERT takes an array for each column. A COPY takes rows one by one:
 *
 *     a row   the number of its columns in 16 bits; of each its length in 32, or -1 for NULL, and
 *             its bytes, as those of an argument
 */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-server-row-private.h"

/* --- by an INSERT ----------------------------------------------------------------------------- */

enum
{
  TABLES,
  TOKENS,
  PLACES,
  EXPIRES,
  VALUES,
  NAMES
};

void
dsq_server_row_init_arrays (DsqServerArray *arrays)
{
  for (guint i = 0; i < DSQ_SERVER_ROW_ARRAYS; i++)
    dsq_server_array_init (&arrays[i], i == TABLES || i == PLACES || i == EXPIRES);
}

void
dsq_server_row_add (const DsqServerRow *self, DsqServerArray *arrays)
{
  dsq_server_array_add_number (&arrays[TABLES], self->table);
  dsq_server_array_add_bytes (&arrays[TOKENS], self->token, self->token_length);
  dsq_server_array_add_number (&arrays[PLACES], self->place);
  if (self->has_expiry)
    dsq_server_array_add_number (&arrays[EXPIRES], self->expires);
  else
    dsq_server_array_add_null (&arrays[EXPIRES]);
  dsq_server_array_add_bytes (&arrays[VALUES], self->value, self->value_length);
  dsq_server_array_add_bytes (&arrays[NAMES], self->name, self->name_length);
}

/* --- by a COPY -------------------------------------------------------------------------------- */

#define N_COLUMNS 7
/* A length and a number. */
#define NUMBER (4 + 8)

static guint8 *
put_count (guint8 *at, gint16 n)
{
  const guint16 stored = GUINT16_TO_BE ((guint16) n);

  memcpy (at, &stored, sizeof stored);
  return at + sizeof stored;
}

static guint8 *
put_length (guint8 *at, gint32 length)
{
  const guint32 stored = GUINT32_TO_BE ((guint32) length);

  memcpy (at, &stored, sizeof stored);
  return at + sizeof stored;
}

static guint8 *
put_number (guint8 *at, gint64 number)
{
  const guint64 stored = GUINT64_TO_BE ((guint64) number);

  at = put_length (at, sizeof stored);
  memcpy (at, &stored, sizeof stored);
  return at + sizeof stored;
}

gboolean
dsq_server_row_copy (const DsqServerRow *self, DsqServerConnection *connection, GError **error)
{
  guint8 head[2 + 2 * NUMBER + 4], middle[2 * NUMBER + 4], name[4];
  guint8 *at = put_count (head, N_COLUMNS);

  at = put_number (at, self->store);
  at = put_number (at, self->table);
  put_length (at, (gint32) self->token_length);
  at = put_number (middle, self->place);
  at = self->has_expiry ? put_number (at, self->expires) : put_length (at, -1);
  at = put_length (at, (gint32) self->value_length);
  put_length (name, self->name != NULL ? (gint32) self->name_length : -1);
  return dsq_server_copy_add (connection, head, sizeof head, error) &&
         dsq_server_copy_add (connection, self->token, self->token_length, error) &&
         dsq_server_copy_add (connection, middle, (gsize) (at - middle), error) &&
         dsq_server_copy_add (connection, self->value, self->value_length, error) &&
         dsq_server_copy_add (connection, name, sizeof name, error) &&
         (self->name == NULL ||
          dsq_server_copy_add (connection, self->name, self->name_length, error));
}
