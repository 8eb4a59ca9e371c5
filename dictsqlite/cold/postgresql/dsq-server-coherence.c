/* dsq-server-coherence.c - what others have committed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whoever commits moves the store's version by one, and adds a row that tells which keys it has
 * changed. Who reads asks for the version when what he knows is older than it may be; the versions
 * between that and his tell him which keys to forget. Where a row is missing, or says so, it is
 * everything.
 *
 *     a key   table, token's length, token, name's length, name; no name in a plain store, whose
 *             tokens are its keys: whole here, however long
 */

#include "config.h"

#include <string.h>

#include "codec/dsq-hash-private.h"
#include "codec/dsq-key-codec-private.h"
#include "cold/postgresql/dsq-server-funcs-private.h"
#include "dsq-error.h"

/* So much is told of one commit. */
#define MAX_KEYS_BYTES (1u << 20)

/* --- by who commits --------------------------------------------------------------------------- */

static guint8 *
put_number (guint8 *at, guint32 number)
{
  const guint32 stored = GUINT32_TO_BE (number);

  memcpy (at, &stored, sizeof stored);
  return at + sizeof stored;
}

gboolean
dsq_server_note (DsqColdServer *self, const DsqEntry *entry, const DsqToken *token, GError **error)
{
  DsqServerWriter *writer = &self->writer;
  const gsize name_length = dsq_row_name_length (&self->codec, entry->key_length);
  const guint noted = writer->keys->len;
  guint8 *at;

  if (entry->has_expiry && !dsq_entry_is_tombstone (entry))
    writer->next_expiry = MIN (writer->next_expiry, dsq_entry_expires (entry));
  if (writer->is_everything)
    return TRUE;
  g_byte_array_set_size (writer->keys, noted + 3 * 4 + token->length + (guint) name_length);
  at = put_number (writer->keys->data + noted, entry->table);
  at = put_number (at, token->length);
  memcpy (at, token->bytes, token->length);
  at = put_number (at + token->length, (guint32) name_length);
  writer->is_everything = writer->keys->len > MAX_KEYS_BYTES;
  return name_length == 0 || dsq_row_encode_name (&self->codec,
                                                  DSQ_FORMAT_PURPOSE_NAME,
                                                  entry->table,
                                                  token->bytes,
                                                  dsq_entry_key (entry),
                                                  entry->key_length,
                                                  at,
                                                  error);
}

/* --- by who reads ----------------------------------------------------------------------------- */

/* What is left to read of a note. */
typedef struct
{
  const guint8 *at;
  gsize length;
} Note;

static gboolean
read_number (Note *self, guint32 *out_number)
{
  if (self->length < sizeof *out_number)
    return FALSE;
  memcpy (out_number, self->at, sizeof *out_number);
  *out_number = GUINT32_FROM_BE (*out_number);
  self->at += sizeof *out_number;
  self->length -= sizeof *out_number;
  return TRUE;
}

static gboolean
read_bytes (Note *self, const guint8 **out_bytes, guint32 *out_length)
{
  if (!read_number (self, out_length) || self->length < *out_length)
    return FALSE;
  *out_bytes = self->at;
  self->at += *out_length;
  self->length -= *out_length;
  return TRUE;
}

/* Appends to @keys; their bytes are in @memory, at the place that stands for them yet. */
static gboolean
read_note (DsqColdServer *self, Note *note, GArray *keys, GByteArray *memory)
{
  while (note->length > 0)
    {
      g_autofree guint8 *unsealed = NULL;
      DsqKey key = { 0 };
      DsqToken token = { 0 };
      const guint8 *name;
      guint32 name_length;

      if (!read_number (note, &key.table) || !read_bytes (note, &token.bytes, &token.length) ||
          !read_bytes (note, &name, &name_length) || key.table == 0 || key.table > DSQ_TABLE_MAX)
        return FALSE;
      key.bytes = token.bytes;
      key.length = token.length;
      if (self->keys != NULL &&
          !dsq_cold_decode_name (&self->codec, &token, name, name_length, &key, &unsealed, NULL))
        return FALSE;
      if (!dsq_key_codec_validate (key.bytes, key.length, NULL))
        return FALSE;
      key.hash = dsq_hash (key.table, key.bytes, key.length);
      g_byte_array_append (memory, key.bytes, key.length);
      key.bytes = GSIZE_TO_POINTER (memory->len - key.length);
      g_array_append_val (keys, key);
    }
  return TRUE;
}

/* What changed from the version known to @version. FALSE: everything may have. */
static gboolean
read_notes (DsqColdServer *self,
            const PGresult *result,
            gint64 version,
            GArray *keys,
            gint64 *out_next_expiry)
{
  const DsqLibpq *pq = self->target.pq;
  int n_notes = pq->ntuples (result);

  *out_next_expiry = G_MAXINT64;
  g_byte_array_set_size (self->learned, 0);
  /* one that has gone back is of a server that was, to an earlier copy of it */
  if (version < self->version || n_notes < version - self->version)
    return FALSE;
  for (int i = 0; i < n_notes; i++)
    {
      gint64 noted, next_expiry;
      Note note;

      note.at = dsq_server_get_bytes (pq, result, i, 1, &note.length);
      if (!dsq_server_get_number (pq, result, i, 0, &noted) || noted != self->version + 1 + i ||
          !dsq_server_get_number (pq, result, i, 2, &next_expiry) || note.at == NULL ||
          !read_note (self, &note, keys, self->learned))
        return FALSE;
      *out_next_expiry = MIN (*out_next_expiry, next_expiry);
    }
  for (guint i = 0; i < keys->len; i++)
    {
      DsqKey *key = &g_array_index (keys, DsqKey, i);

      key->bytes = self->learned->data + GPOINTER_TO_SIZE (key->bytes);
    }
  return TRUE;
}

void
dsq_server_count_entries_locked (DsqColdServer *self)
{
  guint64 n_entries = 0;

  dsq_mutex_assert_held (&self->coherence_lock);
  for (guint i = 0; i < self->committed->len; i++)
    n_entries += (guint64) g_array_index (self->committed, DsqTableState, i).count;
  __atomic_store_n (&self->n_entries, n_entries, __ATOMIC_RELAXED);
}

void
dsq_server_believe_locked (DsqColdServer *self, gint64 since)
{
  gint64 until = since + (gint64) self->address.max_staleness_ms * 1000;

  dsq_mutex_assert_held (&self->coherence_lock);
  self->asked_at = since;
  /* 0 would be for ever */
  if (self->address.max_staleness_ms == 0)
    until = 1;
  __atomic_store_n (&self->tier.believed_until, until, __ATOMIC_RELEASE);
  dsq_cold_tier_show_belief (&self->tier);
}

/* Tables and changes are read after the version, and so may be of a later one: that is learned
 * then, and again when its version shows. */
gboolean
dsq_server_learn_locked (DsqColdServer *self,
                         DsqServerConnection *connection,
                         gint64 version,
                         gint64 asked_at,
                         GError **error)
{
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (DsqKey));
  DsqColdChanged changed = { 0 };
  DsqServerArgs args = { 0 };
  gboolean is_known;
  PGresult *result;

  dsq_mutex_assert_held (&self->coherence_lock);
  if (version == self->version)
    {
      dsq_server_believe_locked (self, asked_at);
      return TRUE;
    }
  dsq_server_args_add_number (&args, self->id);
  dsq_server_args_add_number (&args, self->version);
  if (!dsq_server_read_tables (self, connection, &self->codec, self->committed, error))
    return FALSE;
  result = dsq_server_run (connection, DSQ_SERVER_CHANGES, &args, error);
  if (result == NULL)
    return FALSE;
  is_known = read_notes (self, result, version, keys, &changed.next_expiry);
  self->target.pq->clear (result);
  changed.keys = (const DsqKey *) keys->data;
  changed.n_keys = keys->len;
  self->tier.foreign_func (&g_array_index (self->committed, DsqTableState, 0),
                           self->committed->len,
                           is_known ? &changed : NULL,
                           self->tier.foreign_data);
  __atomic_fetch_add (&self->n_foreign_changes, 1, __ATOMIC_RELAXED);
  self->version = version;
  dsq_server_count_entries_locked (self);
  dsq_server_believe_locked (self, asked_at);
  return TRUE;
}

static gboolean
ask_locked (DsqColdServer *self, gint64 *out_version, GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  DsqServerArgs args = { 0 };
  gboolean is_there;
  PGresult *result;

  dsq_mutex_assert_held (&self->coherence_lock);
  dsq_server_args_add_number (&args, self->id);
  result = dsq_server_run (&self->lookout, DSQ_SERVER_ASK, &args, error);
  if (result == NULL)
    return FALSE;
  is_there = pq->ntuples (result) == 1 && dsq_server_get_version (pq, result, 0, 0, out_version);
  pq->clear (result);
  return is_there || dsq_cold_set_damaged ("it is no longer there", error);
}

static gboolean
catch_up_locked (DsqColdServer *self, GError **error)
{
  const gint64 asked_at = g_get_monotonic_time ();
  gint64 version;

  dsq_mutex_assert_held (&self->coherence_lock);
  return (self->lookout.handle != NULL || dsq_server_connection_open (&self->lookout, error)) &&
         ask_locked (self, &version, error) &&
         dsq_server_learn_locked (self, &self->lookout, version, asked_at, error);
}

/* A commit of this tier's own holds the lock until it is over. What it is waited for by, and so
 * what a caller's function could want, is the lock. Of many that wait one asks for all. */
gboolean
dsq_server_catch_up (DsqColdTier *tier, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;
  const gint64 called_at = g_get_monotonic_time ();
  g_autoptr (GError) local_error = NULL;
  DsqServerTries tries;
  gboolean success;

  if (!dsq_call_lock (&self->coherence_lock, error))
    return FALSE;
  dsq_server_tries_begin (&tries, &self->target);
  do
    success = self->asked_at >= called_at || catch_up_locked (self, &local_error);
  while (!success && dsq_server_tries_again (&tries, &self->lookout, &local_error));
  dsq_mutex_unlock (&self->coherence_lock);
  if (!success)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return success;
}
