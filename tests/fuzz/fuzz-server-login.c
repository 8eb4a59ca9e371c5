/* fuzz-server-login.c - any server at the address of a store that is opened
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "codec/dsq-header-private.h"
#include "codec/dsq-row-private.h"
#include "cold/postgresql/dsq-libpq-private.h"
#include "cold/postgresql/dsq-server-open-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"
#include "driver.h"
#include "dsq-error.h"

/*
 * A server that listens on a Unix socket, to which libpq itself connects. It says what the input
 * tells, and then hangs up. Each thing to say is a byte, a length of one byte, and bytes:
 *
 *   W  nothing, until the client has said something
 *   r  the bytes as they are
 *   c  a column of a row, by what is honest: the byte 1 the schema's version, 2 the store's id,
 *      3 its header, 4 its version, 5 the first table's token, 6 its mark, 7 where it goes on;
 *      no bytes: NULL; others: as they are
 *   d  a row of the columns since the one before
 *   t  what a row has: so many columns as the byte says
 *   and any other byte: a message of that type, with its length
 */

#define MAX_SAID 64
#define WAIT_MS  4
#define VERSION  3
#define LOGIN    "R\4\0\0\0\0Z\1I"
#define SET_UP   "W\0C\4SET\0Z\1I"
#define COLUMNS(n)                                                                                 \
  "W\0"                                                                                            \
  "1\0"                                                                                            \
  "2\0t\1" n
#define DONE      "C\11SELECT 1\0Z\1I"
#define STORE     COLUMNS ("\5") "c\1\1c\1\2c\1\3c\1\4c\1\2d\0" DONE
#define NO_STORE  COLUMNS ("\5") "c\1\1c\0c\0c\0c\1\2d\0" DONE
#define TABLE     "c\1\2c\1\5c\1\6c\1\7c\1\2d\0"
#define VERSIONED COLUMNS ("\1") "c\1\4d\0" DONE
#define MADE                                                                                       \
  "W\0"                                                                                            \
  "1\0"                                                                                            \
  "2\0n\0C\13INSERT 0 1\0Z\1I"
#define FOUND(row)                                                                                 \
  "W\0"                                                                                            \
  "1\0Z\1IW\0"                                                                                     \
  "2\0t\1\5" row DONE

const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED (LOGIN SET_UP STORE COLUMNS ("\5") TABLE DONE VERSIONED),
  FUZZ_SEED (LOGIN SET_UP STORE COLUMNS ("\5") TABLE TABLE DONE),
  FUZZ_SEED (LOGIN SET_UP STORE COLUMNS ("\5") TABLE DONE COLUMNS ("\1") DONE),
  FUZZ_SEED (LOGIN SET_UP STORE COLUMNS ("\5") TABLE DONE COLUMNS ("\1") "c\1\1d\0" DONE COLUMNS (
      "\3") "c\1\1c\3keyc\1\1d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP NO_STORE MADE FOUND ("c\1\1c\0c\0c\0c\1\2d\0")),
  FUZZ_SEED (LOGIN SET_UP NO_STORE MADE FOUND ("c\1\1c\1\2c\1\3c\1\4c\1\2d\0") COLUMNS ("\5")
                 TABLE DONE),
  FUZZ_SEED (LOGIN SET_UP "W\0E\17SERROR\0C3F000\0\0Z\1I!"),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") DONE),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") "c\0c\0c\0c\0c\1\2d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") "c\1\1c\1\2c\1\3c\1\4c\0d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") "c\1\1c\1\2c\1\3c\0c\1\2d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") "c\1\1c\1\2c\1\3c\1\4c\10\0\0\0\0\0\0\0\0d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP NO_STORE "!"),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") "c\1\4c\0c\0c\0c\1\2d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP COLUMNS ("\5") "c\1\1c\1\2c\0c\1\4c\1\2d\0" DONE),
  FUZZ_SEED (LOGIN SET_UP "W\0E\17SERROR\0C3F000\0\0Z\1IW\0C\4SET\0Z\1I" STORE),
  FUZZ_SEED (LOGIN SET_UP "W\0E\25SERROR\0C42501\0Mno\xff\xfe\0\0Z\1I"),
  FUZZ_SEED ("E\23SFATAL\0C28P01\0Mno\0\0"),
  FUZZ_SEED ("E\27SFATAL\0C28P01\0Mno\xe9t\xe9\0\0"),
  FUZZ_SEED ("R\4\0\0\0\3"),
  FUZZ_SEED ("R\10\0\0\0\5salt"),
  FUZZ_SEED ("R\23\0\0\0\12SCRAM-SHA-256\0\0"),
  FUZZ_SEED ("r\1N" LOGIN),
  FUZZ_SEED ("S\22server_version\0\61\65\0K\10\0\0\0\1\0\0\0\2" LOGIN SET_UP
             "A\12\0\0\0\1name\0\0"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* libpq forgets a result when the server goes over to copying within an answer. Those that this
 * library would forget are for test-server-answers to find. */
const char *__lsan_default_suppressions (void);

const char *
__lsan_default_suppressions (void)
{
  return "leak:libpq.so";
}

static struct
{
  char *folder;  /* (owned) */
  char *path;    /* (owned) of the socket */
  char *address; /* (owned) */
  int listening;
  pthread_mutex_t lock;
  GBytes *script; /* (owned) (lock) for whoever connects */
  DsqHeader header;
} server = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- what it says ----------------------------------------------------------------------------- */

static void
append_number (GByteArray *to, guint64 number, guint size)
{
  for (guint i = size; i-- > 0;)
    {
      const guint8 byte = (guint8) (number >> (8 * i));

      g_byte_array_append (to, &byte, 1);
    }
}

static void
append_column (GByteArray *columns, const uint8_t *bytes, guint8 length)
{
  static const gint64 numbers[] = { DSQ_SERVER_SCHEMA_VERSION,
                                    DSQ_TABLE_MAIN,
                                    0,
                                    VERSION,
                                    0,
                                    0,
                                    ((gint64) DSQ_TABLE_MAIN << DSQ_FORMAT_POSITION_BITS) + 2 };
  const guint8 which = length == 1 ? bytes[0] - 1 : G_MAXUINT8;

  if (length == 0)
    append_number (columns, G_MAXUINT32, 4);
  else if (which == 2)
    {
      append_number (columns, server.header.length, 4);
      g_byte_array_append (columns, server.header.bytes, (guint) server.header.length);
    }
  else if (which == 4)
    append_number (columns, 0, 4);
  else if (which == 5)
    {
      append_number (columns, server.header.first_mark.length, 4);
      g_byte_array_append (columns,
                           server.header.first_mark.bytes,
                           (guint) server.header.first_mark.length);
    }
  else if (which < G_N_ELEMENTS (numbers))
    {
      append_number (columns, 8, 4);
      append_number (columns, (guint64) numbers[which], 8);
    }
  else
    {
      append_number (columns, length, 4);
      g_byte_array_append (columns, bytes, length);
    }
}

static void
hear (int connection)
{
  struct pollfd socket = { connection, POLLIN, 0 };
  guint8 ignored[8192];

  if (poll (&socket, 1, WAIT_MS) > 0)
    (void) !recv (connection, ignored, sizeof ignored, MSG_DONTWAIT);
}

static void
say (int connection, guint8 kind, const uint8_t *bytes, guint length)
{
  g_autoptr (GByteArray) said = g_byte_array_new ();

  if (kind != 'r')
    {
      g_byte_array_append (said, &kind, 1);
      append_number (said, length + 4, 4);
    }
  g_byte_array_append (said, bytes, length);
  /* whoever has hung up hears nothing */
  (void) !send (connection, said->data, said->len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Columns of any type, in binary. */
static void
describe (int connection, guint n_columns)
{
  static const guint8 column[] = { 'c', 0,  0,    0,    0,    0,    0,    0,    0, 0,
                                   0,   17, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1 };
  g_autoptr (GByteArray) columns = g_byte_array_new ();

  append_number (columns, n_columns, 2);
  for (guint i = 0; i < n_columns; i++)
    g_byte_array_append (columns, column, sizeof column);
  say (connection, 'T', columns->data, columns->len);
}

static void
say_all (int connection, const uint8_t *at, size_t left)
{
  g_autoptr (GByteArray) columns = g_byte_array_new ();
  guint n_columns = 0;

  hear (connection);
  for (guint n = 0; left >= 2 && n < MAX_SAID; n++)
    {
      const guint8 length = (guint8) MIN (at[1], left - 2);

      if (at[0] == 'W')
        hear (connection);
      else if (at[0] == 'c')
        {
          append_column (columns, at + 2, length);
          n_columns++;
        }
      else if (at[0] == 'd')
        {
          g_autoptr (GByteArray) row = g_byte_array_new ();

          append_number (row, n_columns, 2);
          g_byte_array_append (row, columns->data, columns->len);
          say (connection, 'D', row->data, row->len);
          g_byte_array_set_size (columns, 0);
          n_columns = 0;
        }
      else if (at[0] == 't')
        describe (connection, length > 0 ? at[2] % 16 : 0);
      else
        say (connection, at[0], at + 2, length);
      at += 2 + length;
      left -= 2 + length;
    }
}

static void *
serve (void *data)
{
  for (;;)
    {
      int connection = accept (server.listening, NULL, NULL);
      g_autoptr (GBytes) script = NULL;

      g_assert_cmpint (connection, >=, 0);
      pthread_mutex_lock (&server.lock);
      script = g_bytes_ref (server.script);
      pthread_mutex_unlock (&server.lock);
      say_all (connection, g_bytes_get_data (script, NULL), g_bytes_get_size (script));
      shutdown (connection, SHUT_WR);
      close (connection);
    }
  return NULL;
}

/* --- trying it -------------------------------------------------------------------------------- */

static void
clean_up (void)
{
  g_unlink (server.path);
  g_rmdir (server.folder);
}

static void
begin (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const DsqKdfCost cost = { 0 };
  DsqKeys *keys = NULL;
  pthread_t thread;

  server.folder = g_dir_make_tmp ("fuzz-login-XXXXXX", NULL);
  server.path = g_build_filename (server.folder, ".s.PGSQL.5432", NULL);
  server.address =
      g_strdup_printf ("postgresql://user@/database?host=%s&max_staleness=0", server.folder);
  atexit (clean_up);
  g_strlcpy (address.sun_path, server.path, sizeof address.sun_path);
  server.listening = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (server.listening, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (server.listening, 8), ==, 0);
  g_assert_true (dsq_header_init (&server.header, NULL, &cost, &keys, NULL));
  g_assert_cmpint (pthread_create (&thread, NULL, serve, NULL), ==, 0);
}

static void
ignore_changes (const DsqTableState *states,
                guint n_states,
                const DsqColdChanged *changed,
                gpointer user_data)
{
}

/* What others have committed, and which tables there are, of a server that let itself be opened. */
static void
ask_more (DsqColdTier *tier)
{
  g_autoptr (GError) error = NULL;
  gboolean success;

  tier->foreign_func = ignore_changes;
  success = tier->funcs->catch_up (tier, &error);

  g_assert_true (success == (error == NULL));
  if (!success)
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  const DsqColdOptions options = { .busy_timeout_ms = 1,
                                   .path = server.address,
                                   .read_only = length > 0 && bytes[length - 1] == '!' };
  DsqTableState first = { 0 };
  g_autoptr (GError) error = NULL;
  DsqColdTier *tier;

  if (dsq_libpq_load (NULL) == NULL)
    return 0;
  if (server.folder == NULL)
    {
      begin ();
      return LLVMFuzzerTestOneInput (bytes, length);
    }
  pthread_mutex_lock (&server.lock);
  g_clear_pointer (&server.script, g_bytes_unref);
  server.script = g_bytes_new (bytes, length);
  pthread_mutex_unlock (&server.lock);
  tier = dsq_cold_tier_open_server (&options, &first, &error);
  g_assert_true ((tier != NULL) == (error == NULL));
  if (tier == NULL)
    {
      g_assert_true (error->domain == DSQ_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
  else
    {
      g_assert_cmpuint (first.table, ==, DSQ_TABLE_MAIN);
      g_assert_cmpint (first.count, >=, 0);
      ask_more (tier);
      tier->funcs->close (tier, NULL);
    }
  return 0;
}
