/* dsq-watcher.c - what has changed of a table since it was last taken
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Noted with the shard's lock held, once memory has the change or with everybody else kept from
 * looking until it has: so whoever takes the news finds it. That is why nothing is called here but
 * malloc and write(): no lock of a main loop's, which a child of a fork might find locked for ever.
 * Who takes it is woken when there is news where there was none.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dsq-error.h"
#include "engine/dsq-watcher-private.h"

/* More than this is everything. */
#define MAX_KEYS  1024
#define MAX_BYTES (1u << 20)

static void
forget_keys (DsqWatcher *self)
{
  self->keys = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->is_in = g_hash_table_new (g_bytes_hash, g_bytes_equal);
  self->n_bytes = 0;
}

DsqWatcher *
dsq_watcher_new (const guint8 *prefix, gsize length, GError **error)
{
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  DsqWatcher *self;

  if (fd < 0)
    {
      g_set_error (error,
                   DSQ_ERROR,
                   DSQ_ERROR_IO,
                   "Failed to watch the store: %s",
                   g_strerror (errno));
      return NULL;
    }
  self = g_new0 (DsqWatcher, 1);
  self->prefix = g_bytes_new (prefix, length);
  self->fd = fd;
  dsq_mutex_init (&self->lock, DSQ_RANK_WATCH, 0);
  forget_keys (self);
  return self;
}

void
dsq_watcher_free (DsqWatcher *self)
{
  g_hash_table_unref (self->is_in);
  g_ptr_array_unref (self->keys);
  g_bytes_unref (self->prefix);
  dsq_mutex_clear (&self->lock);
  close (self->fd);
  g_free (self);
}

/* --- noting ----------------------------------------------------------------------------------- */

static gboolean
has_news_locked (const DsqWatcher *self)
{
  dsq_mutex_assert_held (&self->lock);
  return self->is_everything || self->has_ended || self->keys->len > 0;
}

/* The count of an eventfd that is read at each taking is never full. */
static void
wake_locked (DsqWatcher *self, gboolean had_news)
{
  const guint64 one = 1;

  dsq_mutex_assert_held (&self->lock);
  if (!had_news && has_news_locked (self))
    while (write (self->fd, &one, sizeof one) < 0 && errno == EINTR)
      ;
}

static gboolean
has_prefix (const DsqWatcher *self, const DsqKey *key)
{
  gsize length;
  const guint8 *prefix = g_bytes_get_data (self->prefix, &length);

  return length == 0 || (key->length >= length && memcmp (key->bytes, prefix, length) == 0);
}

static void
drop_keys_locked (DsqWatcher *self)
{
  dsq_mutex_assert_held (&self->lock);
  g_hash_table_remove_all (self->is_in);
  g_ptr_array_set_size (self->keys, 0);
  self->n_bytes = 0;
}

static void
note_everything_locked (DsqWatcher *self)
{
  dsq_mutex_assert_held (&self->lock);
  drop_keys_locked (self);
  self->is_everything = TRUE;
}

static void
note_key_locked (DsqWatcher *self, const DsqKey *key)
{
  g_autoptr (GBytes) bytes = NULL;

  dsq_mutex_assert_held (&self->lock);
  if (self->is_everything || !has_prefix (self, key))
    return;
  bytes = g_bytes_new (key->bytes, key->length);
  if (g_hash_table_contains (self->is_in, bytes))
    return;
  if (self->keys->len == MAX_KEYS || self->n_bytes + key->length > MAX_BYTES)
    {
      note_everything_locked (self);
      return;
    }
  self->n_bytes += key->length;
  g_hash_table_add (self->is_in, bytes);
  g_ptr_array_add (self->keys, g_steal_pointer (&bytes));
}

void
dsq_watchers_note (GSList *watchers, const DsqKey *key)
{
  for (; watchers != NULL; watchers = watchers->next)
    {
      DsqWatcher *self = watchers->data;
      gboolean had_news;

      dsq_mutex_lock (&self->lock);
      had_news = has_news_locked (self);
      if (!self->has_ended && key != NULL)
        note_key_locked (self, key);
      else if (!self->has_ended)
        note_everything_locked (self);
      wake_locked (self, had_news);
      dsq_mutex_unlock (&self->lock);
    }
}

void
dsq_watchers_end (GSList *watchers, gconstpointer owner, gboolean is_news)
{
  for (; watchers != NULL; watchers = watchers->next)
    {
      DsqWatcher *self = watchers->data;
      gboolean had_news;

      if (owner != NULL && self->owner != owner)
        continue;
      dsq_mutex_lock (&self->lock);
      had_news = has_news_locked (self);
      if (!self->has_ended)
        {
          drop_keys_locked (self);
          self->is_everything = is_news;
          self->has_ended = TRUE;
        }
      wake_locked (self, had_news);
      dsq_mutex_unlock (&self->lock);
    }
}

/* --- taking ----------------------------------------------------------------------------------- */

GPtrArray *
dsq_watcher_take (DsqWatcher *self, gboolean *out_has_ended)
{
  GPtrArray *keys = NULL;
  guint64 n_wakes;

  dsq_mutex_lock (&self->lock);
  *out_has_ended = self->has_ended;
  if (self->is_everything)
    {
      self->is_everything = FALSE;
    }
  else
    {
      keys = self->keys;
      g_hash_table_unref (self->is_in);
      forget_keys (self);
    }
  /* what has ended stays so, for whoever looks again */
  if (!self->has_ended)
    while (read (self->fd, &n_wakes, sizeof n_wakes) < 0 && errno == EINTR)
      ;
  dsq_mutex_unlock (&self->lock);
  return keys;
}
