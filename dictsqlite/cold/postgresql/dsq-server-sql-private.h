/* dsq-server-sql-private.h - all that is said to the server of rows
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cold/postgresql/dsq-server-connection-private.h"

G_BEGIN_DECLS

typedef struct
{
  const char *sql;
  const char *purpose;
  const char *elsewhere; /* (nullable) what servers are told that are not PostgreSQL */
} DsqServerSql;

/* Columns of DSQ_SERVER_WALK, _WALK_BACK and _EXPIRED. */
enum
{
  DSQ_SERVER_AT_PLACE,
  DSQ_SERVER_AT_TOKEN,
  DSQ_SERVER_AT_NAME,
  DSQ_SERVER_AT_EXPIRES,
  DSQ_SERVER_AT_VALUE,
  DSQ_SERVER_AT_TABLE
};

extern const DsqServerSql dsq_server_sql[DSQ_SERVER_N_STATEMENTS];

/* What makes the schema, in a transaction that is still to be committed, and the version of it that
 * this library knows. */
#define DSQ_SERVER_SCHEMA_VERSION 1
extern const char dsq_server_schema[];
extern const char dsq_server_schema_on_postgresql[];

G_END_DECLS
