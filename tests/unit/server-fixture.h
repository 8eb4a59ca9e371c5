/* server-fixture.h - the cold tier on a server, with what stands for that
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>
#include <unistd.h>

#include "codec/dsq-hash-private.h"
#include "dsq-error.h"
#include "server-fake.h"

static const guint8 store_id[DSQ_KEY_ID_LENGTH] = "of this store..";

typedef struct
{
  DsqColdServer server;
  guint n_foreign;   /* how often others were said to have changed anything */
  gboolean is_known; /* what that was, the last time */
} Fixture;

static inline void
note_foreign (const DsqTableState *states,
              guint n_states,
              const DsqColdChanged *changed,
              gpointer user_data)
{
  Fixture *self = user_data;

  self->n_foreign++;
  self->is_known = changed != NULL;
}

static inline void
set_up (Fixture *self, gconstpointer data)
{
  DsqColdServer *server = &self->server;

  memset (&fake, 0, sizeof fake);
  fake.connects = TRUE;
  fake.lost_at = FAKE_NONE;
  g_assert_cmpint (pipe (fake.pipe), ==, 0);
  memset (self, 0, sizeof *self);
  server->tier.foreign_func = note_foreign;
  server->tier.foreign_data = self;
  server->target.pq = &fake_pq;
  server->id = server->version = 1;
  server->notify = (char *) "NOTIFY";
  server->notices = dsq_server_notices_new ();
  server->committed = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  server->learned = g_byte_array_new ();
  server->readers = g_ptr_array_new ();
  server->writer.tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  dsq_cold_undo_init (&server->writer.undo);
  server->writer.keys = g_byte_array_new ();
  server->writer.connection.target = server->lookout.target = &server->target;
  dsq_mutex_init (&server->coherence_lock, DSQ_RANK_COHERENCE, 0);
  dsq_mutex_init (&server->readers_lock, DSQ_RANK_READERS, 0);
  dsq_cond_init (&server->reader_is_free);
  dsq_record_codec_init (&server->codec, store_id, NULL);
  fake.token = dsq_row_make_table_token (&server->codec, (const guint8 *) "t", 1);
  g_assert_true (
      dsq_row_draw_mark (&server->codec, 1, (const guint8 *) "", 0, &fake.marks[0], NULL));
  g_assert_true (dsq_row_draw_mark (&server->codec,
                                    2,
                                    g_bytes_get_data (fake.token, NULL),
                                    g_bytes_get_size (fake.token),
                                    &fake.marks[1],
                                    NULL));
  g_assert_true (dsq_server_connection_open (&server->lookout, NULL));
  dsq_mutex_lock (&server->coherence_lock);
  g_assert_true (
      dsq_server_read_tables (server, &server->lookout, &server->codec, server->committed, NULL));
  dsq_mutex_unlock (&server->coherence_lock);
}

static inline void
tear_down (Fixture *self, gconstpointer data)
{
  DsqColdServer *server = &self->server;

  fake.n_answers = 0; /* which may be a test's own */
  dsq_server_rollback (&server->tier);
  dsq_server_pool_close (server);
  dsq_server_connection_close (&server->writer.connection);
  dsq_server_connection_close (&server->lookout);
  g_array_unref (server->committed);
  g_byte_array_unref (server->learned);
  g_ptr_array_unref (server->readers);
  g_array_unref (server->writer.tables);
  dsq_cold_undo_clear (&server->writer.undo);
  g_byte_array_unref (server->writer.keys);
  dsq_server_notices_unref (server->notices);
  dsq_mutex_clear (&server->coherence_lock);
  dsq_mutex_clear (&server->readers_lock);
  pthread_cond_destroy (&server->reader_is_free);
  dsq_record_codec_clear (&server->codec);
  g_bytes_unref (fake.token);
  fake_unref_bytes (fake.values[0]);
  fake_unref_bytes (fake.values[1]);
  close (fake.pipe[0]);
  close (fake.pipe[1]);
}

static inline DsqKey
key_of (const char *text)
{
  const guint8 *bytes = (const guint8 *) text;
  const guint32 length = (guint32) strlen (text);

  return (DsqKey){ bytes, length, DSQ_TABLE_MAIN, dsq_hash (DSQ_TABLE_MAIN, bytes, length) };
}

static inline gboolean
begin (DsqColdTier *tier, GError **error)
{
  return dsq_server_begin (tier, error);
}

static inline gboolean
catch_up (DsqColdTier *tier, GError **error)
{
  return dsq_server_catch_up (tier, error);
}

static inline gboolean
probe_two (DsqColdTier *tier, GError **error)
{
  const DsqKey keys[] = { key_of ("a"), key_of ("b") };
  gint64 places[2];

  g_assert_true (dsq_server_probe (tier, NULL, 0, NULL, NULL));
  return dsq_server_probe (tier, keys, 2, places, error);
}
