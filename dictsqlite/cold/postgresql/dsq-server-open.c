/* dsq-server-open.c - the cold tier on a server: opening and closing
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-header-private.h"
#include "cold/postgresql/dsq-server-funcs-private.h"
#include "cold/postgresql/dsq-server-open-private.h"
#include "cold/postgresql/dsq-server-sql-private.h"
#include "crypto/dsq-random-private.h"
#include "dsq-error.h"

static gboolean
refuse (DsqError code, const char *cause, GError **error)
{
  g_set_error (error, DSQ_ERROR, (gint) code, "Failed to open the store: %s", cause);
  return FALSE;
}

/* Another may make it at the same time, and waits then. */
static gboolean
make_schema (DsqColdServer *self, GError **error)
{
  g_autofree char *sql = NULL;

  if (self->read_only)
    return refuse (DSQ_ERROR_NOT_FOUND, "there is none in the database", error);
  sql = g_strconcat (dsq_server_schema,
                     self->lookout.is_postgresql ? dsq_server_schema_on_postgresql : "",
                     "COMMIT",
                     NULL);
  return dsq_server_say (&self->lookout, sql, "make the schema", error);
}

/* --- the store -------------------------------------------------------------------------------- */

static void
add_name (const DsqColdServer *self, DsqServerArgs *args)
{
  dsq_server_args_add_bytes (args, self->address.name, strlen (self->address.name));
}

/* *out_is_there: it is, and @header, the store's id and its version are known. */
static gboolean
read_store (DsqColdServer *self,
            const PGresult *result,
            DsqHeader *header,
            gboolean *out_is_there,
            GError **error)
{
  const DsqLibpq *pq = self->target.pq;
  const guint8 *bytes;
  gint64 schema, notifies;
  gsize length;

  if (pq->ntuples (result) != 1 || !dsq_server_get_number (pq, result, 0, 0, &schema) ||
      schema != DSQ_SERVER_SCHEMA_VERSION || !dsq_server_get_number (pq, result, 0, 4, &notifies))
    return refuse (DSQ_ERROR_FORMAT, "the schema dictsqlite is of another version", error);
  *out_is_there = dsq_server_get_number (pq, result, 0, 1, &self->id);
  if (!*out_is_there)
    return TRUE;
  bytes = dsq_server_get_bytes (pq, result, 0, 2, &length);
  if (bytes == NULL || !dsq_server_get_version (pq, result, 0, 3, &self->version))
    return dsq_cold_set_damaged ("it has no header", error);
  g_free (self->notify);
  self->notify =
      notifies == 0
          ? NULL
          : g_strdup_printf ("NOTIFY " DSQ_SERVER_CHANNEL ", '%s'", self->id, self->client);
  return dsq_header_read (header, bytes, length, error);
}

static gboolean
find_store (DsqColdServer *self, DsqHeader *header, gboolean *out_is_there, GError **error)
{
  DsqServerArgs args = { 0 };
  gboolean is_sound;
  PGresult *result;

  add_name (self, &args);
  result = dsq_server_run (&self->lookout, DSQ_SERVER_FIND_STORE, &args, error);
  if (result == NULL)
    return FALSE;
  is_sound = read_store (self, result, header, out_is_there, error);
  self->target.pq->clear (result);
  return is_sound;
}

/* Where nobody has made a store yet there is not even where to look for one. */
static gboolean
find_store_or_make_schema (DsqColdServer *self,
                           DsqHeader *header,
                           gboolean *out_is_there,
                           GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (find_store (self, header, out_is_there, &local_error))
    return TRUE;
  if (self->lookout.has_no_schema)
    return make_schema (self, error) && find_store (self, header, out_is_there, error);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Another may make it at the same time: then that one is what there is. */
static gboolean
make_store (DsqColdServer *self, const DsqColdOptions *options, GError **error)
{
  DsqServerArgs args = { 0 };
  DsqKeys *keys = NULL;
  DsqHeader header;

  if (self->read_only)
    return refuse (DSQ_ERROR_NOT_FOUND, "there is none of that name", error);
  if (!dsq_header_init (&header, options->password, &options->kdf_cost, &keys, error))
    return FALSE;
  g_clear_pointer (&keys, dsq_keys_free);
  add_name (self, &args);
  dsq_server_args_add_bytes (&args, header.bytes, header.length);
  dsq_server_args_add_bytes (&args, header.first_mark.bytes, header.first_mark.length);
  dsq_server_args_add_number (&args, ((gint64) DSQ_TABLE_MAIN << DSQ_FORMAT_POSITION_BITS) + 1);
  return dsq_server_do (&self->lookout, DSQ_SERVER_MAKE_STORE, &args, error);
}

static gboolean
find_or_make_store (DsqColdServer *self,
                    const DsqColdOptions *options,
                    DsqHeader *header,
                    GError **error)
{
  gboolean is_there;

  if (!find_store_or_make_schema (self, header, &is_there, error))
    return FALSE;
  if (is_there)
    return TRUE;
  if (!make_store (self, options, error) || !find_store (self, header, &is_there, error))
    return FALSE;
  return is_there || refuse (DSQ_ERROR_NOT_FOUND, "it is gone as soon as it was made", error);
}

static gboolean
unlock (DsqColdServer *self, const DsqColdOptions *options, const DsqHeader *header, GError **error)
{
  if (!dsq_header_check_cost (header, options->kdf_limit, error) ||
      !dsq_header_unlock (header, options->password, &self->keys, error))
    return FALSE;
  dsq_record_codec_init (&self->codec, dsq_header_get_store_id (header), self->keys);
  return TRUE;
}

/* --- the tier --------------------------------------------------------------------------------- */

static void
get_stats (DsqColdTier *tier, DsqColdStats *out_stats)
{
  DsqColdServer *self = (DsqColdServer *) tier;

  out_stats->entries = __atomic_load_n (&self->n_entries, __ATOMIC_RELAXED);
  out_stats->commits = __atomic_load_n (&self->n_commits, __ATOMIC_RELAXED);
  out_stats->foreign_changes = __atomic_load_n (&self->n_foreign_changes, __ATOMIC_RELAXED);
}

/* What is committed lasts already, as the server is set up. */
static gboolean
close_tier (DsqColdTier *tier, GError **error)
{
  DsqColdServer *self = (DsqColdServer *) tier;

  dsq_server_pool_close (self);
  dsq_server_tell_left (self);
  dsq_server_connection_close (&self->writer.connection);
  dsq_server_connection_close (&self->lookout);
  dsq_mutex_clear (&self->coherence_lock);
  dsq_mutex_clear (&self->readers_lock);
  pthread_cond_destroy (&self->reader_is_free);
  g_array_unref (self->committed);
  g_byte_array_unref (self->learned);
  g_ptr_array_unref (self->readers);
  g_array_unref (self->writer.tables);
  dsq_cold_undo_clear (&self->writer.undo);
  g_byte_array_unref (self->writer.keys);
  if (self->codec.marks != NULL)
    dsq_record_codec_clear (&self->codec);
  g_clear_pointer (&self->keys, dsq_keys_free);
  dsq_server_address_clear (&self->address);
  g_free (self->notify);
  dsq_server_notices_unref (self->notices);
  g_free (self);
  return TRUE;
}

static const DsqColdTierFuncs funcs = {
  .close = close_tier,
  .get_many = dsq_server_get_many,
  .probe = dsq_server_probe,
  .walk = dsq_server_walk,
  .list_keys = dsq_server_list_keys,
  .list_tables = dsq_server_list_tables,
  .find_expired = dsq_server_find_expired,
  .catch_up = dsq_server_catch_up,
  .foresee = dsq_server_foresee,
  .begin = dsq_server_begin,
  .get_table = dsq_server_get_table,
  .open_table = dsq_server_open_table,
  .drop_table = dsq_server_drop_table,
  .clear_table = dsq_server_clear_table,
  .apply = dsq_server_apply,
  .get_in_transaction = dsq_server_get_in_transaction,
  .savepoint = dsq_server_savepoint,
  .release = dsq_server_release,
  .commit = dsq_server_commit,
  .rollback = dsq_server_rollback,
  .get_stats = get_stats,
  .listen = dsq_server_listen,
};

static const DsqColdUpkeepFuncs upkeep_funcs = {
  .get_header = dsq_server_get_header,
  .replace_header = dsq_server_replace_header,
  .copy = dsq_server_copy,
  .backup = dsq_server_backup,
  .check = dsq_server_check,
};

static DsqColdServer *
server_new (const DsqColdOptions *options)
{
  DsqColdServer *self = g_new0 (DsqColdServer, 1);

  self->tier.funcs = &funcs;
  self->tier.upkeep = &upkeep_funcs;
  self->tier.is_lasting = TRUE;
  self->tier.live_version = self->live;
  self->read_only = options->read_only;
  self->committed = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  self->learned = g_byte_array_new ();
  self->readers = g_ptr_array_new ();
  self->writer.tables = g_array_new (FALSE, FALSE, sizeof (DsqTableState));
  dsq_cold_undo_init (&self->writer.undo);
  self->notices = dsq_server_notices_new ();
  self->writer.keys = g_byte_array_new ();
  self->writer.connection.target = &self->target;
  self->lookout.target = &self->target;
  dsq_mutex_init (&self->coherence_lock, DSQ_RANK_COHERENCE, 0);
  dsq_mutex_init (&self->readers_lock, DSQ_RANK_READERS, 0);
  dsq_cond_init (&self->reader_is_free);
  return self;
}

/* The version was read before the tables, so that these are no older. */
static gboolean
learn_first_locked (DsqColdServer *self, gint64 asked_at, GError **error)
{
  dsq_mutex_assert_held (&self->coherence_lock);
  if (!dsq_server_read_tables (self, &self->lookout, &self->codec, self->committed, error))
    return FALSE;
  dsq_server_count_entries_locked (self);
  dsq_server_believe_locked (self, asked_at);
  return TRUE;
}

/* Who writes needs a connection at once, and who looks for others' commits only after a while. */
static void
hand_over_locked (DsqColdServer *self)
{
  dsq_mutex_assert_held (&self->coherence_lock);
  self->writer.connection = self->lookout;
  self->lookout = (DsqServerConnection){ .target = &self->target };
}

static gboolean
open_tier (DsqColdServer *self, const DsqColdOptions *options, GError **error)
{
  const gint64 asked_at = g_get_monotonic_time ();
  guint8 client[DSQ_SERVER_CLIENT];
  DsqHeader header;
  gboolean learned;

  if (!dsq_server_address_parse (&self->address, options->path, error) ||
      !dsq_random_draw (client, sizeof client, error))
    return FALSE;
  for (guint i = 0; i < sizeof client; i++)
    g_snprintf (self->client + 2 * i, 3, "%02x", client[i]);
  self->target = (DsqServerTarget){
    .pq = dsq_libpq_load (error),
    .uri = self->address.uri,
    .lock_wait_ms = options->busy_timeout_ms,
    .read_only = options->read_only,
  };
  if (self->target.pq == NULL || !dsq_server_connection_open (&self->lookout, error) ||
      !find_or_make_store (self, options, &header, error) ||
      !unlock (self, options, &header, error))
    return FALSE;
  dsq_mutex_lock (&self->coherence_lock);
  learned = learn_first_locked (self, asked_at, error);
  if (!self->read_only)
    hand_over_locked (self);
  dsq_mutex_unlock (&self->coherence_lock);
  return learned;
}

DsqColdTier *
dsq_cold_tier_open_server (const DsqColdOptions *options, DsqTableState *out_main, GError **error)
{
  DsqColdServer *self = server_new (options);

  if (!open_tier (self, options, error))
    {
      close_tier (&self->tier, NULL);
      return NULL;
    }
  *out_main = g_array_index (self->committed, DsqTableState, 0);
  return &self->tier;
}
