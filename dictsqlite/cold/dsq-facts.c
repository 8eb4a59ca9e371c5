/* dsq-facts.c - which keys each commit has changed, told to other processes
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * docs/on-disk-format.md has the format. A position counts the bytes that were ever written to the
 * ring; where it stands in the file follows from it. Facts stand one behind the other, and where
 * one does not fit before the ring's end, it begins at its beginning.
 *
 * Who commits holds SQLite's lock and has followed all facts before, so that it knows where the
 * next one goes; it is written when the lock is given back already, by one pwrite(). The header
 * says about where that is, to who comes new or has lost the thread. Two writers that disagree
 * overwrite each other's facts, which costs their readers what they have in memory, and nothing
 * more: a fact holds its own position and a hash of all of it.
 *
 * A fact that nobody is there to read is left out: to look whether anybody has the ring open is
 * half of what a write of it costs. Who comes at that moment finds a chain that begins later.
 *
 * No state comes twice: it holds the log's salts and the checksum of all that was committed. So a
 * fact is true whenever it is read, and a chain of facts from one state to another lacks nothing.
 */

#include "config.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "base/dsq-mutex-private.h"
#include "codec/dsq-hash-private.h"
#include "codec/dsq-key-codec-private.h"
#include "cold/dsq-facts-file-private.h"
#include "cold/dsq-facts-private.h"

#define MAGIC       G_GUINT64_CONSTANT (0x0a31737463616644) /* "Dfacts1\n" */
#define DATA_OFFSET 4096
#define MAX_LENGTH  (DSQ_FACTS_SIZE / 2)

/* The header is written anew when so much has been appended. */
#define HINT_BYTES (64u << 10)

/* Read at once: most facts are shorter. */
#define WINDOW 1024

/* Longest wait for a fact, in looks, of which the first follow each other at once. */
#define WAIT_LOOKS   18
#define YIELD_LOOKS  8
#define LOOK_WAIT_US 20

/* Commits after which a ring that could not be opened is tried again, or the name looked at of one
 * that nobody else has. */
#define RETRY_COMMITS 256

/* Commits that are told without a look whether anybody is there, when somebody was, or may have
 * been without a ring to open. */
#define SURE_COMMITS 64

#define EVERYTHING 1u

typedef struct
{
  guint64 magic;
  guint32 size;
  guint32 unused;
  guint8 store_id[DSQ_KEY_ID_LENGTH];
  guint64 hint; /* position of a fact, or behind the last one */
  guint64 hash; /* of all before */
} Header;

typedef struct
{
  guint64 hash; /* of all behind, the body too */
  guint64 position;
  guint32 length; /* of all: a multiple of eight */
  guint32 body_length;
  guint32 flags;
  guint32 unused;
  gint64 next_expiry; /* the first of what was set, G_MAXINT64 for none */
  DsqWalStamp before;
  DsqWalStamp after;
} Fact;

/* A key in a body: this, and its bytes. */
typedef struct
{
  guint32 table;
  guint32 length;
} Item;

struct _DsqFacts
{
  DsqFactsFile file;
  guint8 store_id[DSQ_KEY_ID_LENGTH];
  DsqKeys *keys; /* (unowned) (nullable) */

  guint64 end;         /* position behind the last fact that is known */
  gboolean is_synced;  /* there are none behind it, but of commits that are not known either */
  gboolean is_hopeful; /* a commit of somebody else had its fact, the last time */
  guint64 hint;        /* as it was last written */
  guint n_untold;      /* commits since there is no ring, or nobody to tell */
  guint n_sure;        /* commits to be told without a look for somebody */

  /* the transaction under way */
  GByteArray *written; /* (owned) a fact, and items */
  gboolean changes_everything;
  gint64 next_expiry;

  /* the fact read last, and what was found */
  GByteArray *buffer; /* (owned) */
  GByteArray *items;  /* (owned) */
  GArray *found;      /* (owned) of DsqKey, of bytes in items */
};

DsqFacts *
dsq_facts_new (const char *path, const guint8 *store_id, DsqKeys *keys, gboolean read_only)
{
  DsqFacts *self = g_new0 (DsqFacts, 1);

  dsq_facts_file_init (&self->file, path, read_only);
  memcpy (self->store_id, store_id, sizeof self->store_id);
  self->keys = keys;
  self->is_hopeful = TRUE;
  self->written = g_byte_array_new ();
  self->buffer = g_byte_array_new ();
  self->items =
      g_byte_array_sized_new (WINDOW); /* its data is never NULL, also where it is empty */
  self->found = g_array_new (FALSE, FALSE, sizeof (DsqKey));
  dsq_facts_start (self);
  dsq_facts_file_open (&self->file, FALSE);
  return self;
}

void
dsq_facts_free (DsqFacts *self)
{
  if (self == NULL)
    return;
  dsq_facts_file_clear (&self->file);
  g_byte_array_unref (self->written);
  g_byte_array_unref (self->buffer);
  g_byte_array_unref (self->items);
  g_array_unref (self->found);
  g_free (self);
}

void
dsq_facts_take_turn (DsqFacts *self)
{
  dsq_mutex_assert_may_wait ("the turn to close");
  dsq_facts_file_take_turn (&self->file);
}

void
dsq_facts_give_turn (DsqFacts *self)
{
  dsq_facts_file_give_turn (&self->file);
}

static guint64
hash_of (const DsqFacts *self, gconstpointer bytes, gsize length)
{
  return dsq_hash_siphash (1, 3, self->store_id, bytes, length);
}

/* A buffer longer than this is not kept beyond its use. */
#define MAX_KEPT_BUFFER (256u << 10)

static void
trim (GByteArray **buffer)
{
  if (G_LIKELY ((*buffer)->len <= MAX_KEPT_BUFFER))
    return;
  g_byte_array_unref (*buffer);
  *buffer = g_byte_array_sized_new (WINDOW);
}

/* --- the file --------------------------------------------------------------------------------- */

static gssize
read_at (const DsqFacts *self, gpointer bytes, gsize length, guint64 offset)
{
  gssize n;

  do
    n = pread (self->file.descriptor, bytes, length, (off_t) offset);
  while (n < 0 && errno == EINTR);
  return n;
}

static gboolean
write_at (const DsqFacts *self, gconstpointer bytes, gsize length, guint64 offset)
{
  gssize n;

  do
    n = pwrite (self->file.descriptor, bytes, length, (off_t) offset);
  while (n < 0 && errno == EINTR);
  return n == (gssize) length;
}

/* Lets the file go: another one may have its name by now. */
static void
lose (DsqFacts *self)
{
  if (!dsq_facts_file_has_name (&self->file))
    dsq_facts_file_close (&self->file);
  self->is_synced = FALSE;
}

static void
write_header (DsqFacts *self)
{
  Header header = { .magic = MAGIC, .size = DSQ_FACTS_SIZE, .hint = self->end };

  memcpy (header.store_id, self->store_id, sizeof header.store_id);
  header.hash = hash_of (self, &header, G_STRUCT_OFFSET (Header, hash));
  if (!write_at (self, &header, sizeof header, 0))
    lose (self);
  self->hint = self->end;
}

/* A ring that is not this store's, or none, begins anew. */
static guint64
read_hint (const DsqFacts *self)
{
  Header header;

  if (read_at (self, &header, sizeof header, 0) != sizeof header || header.magic != MAGIC ||
      header.size != DSQ_FACTS_SIZE ||
      memcmp (header.store_id, self->store_id, sizeof header.store_id) != 0 ||
      header.hash != hash_of (self, &header, G_STRUCT_OFFSET (Header, hash)) ||
      header.hint > G_MAXINT64)
    return 0;
  return header.hint;
}

/* --- reading ---------------------------------------------------------------------------------- */

static guint64
next_lap (guint64 position)
{
  return (position / DSQ_FACTS_SIZE + 1) * DSQ_FACTS_SIZE;
}

/* The fact at @position, which is in the buffer then; or NULL. */
static const Fact *
read_fact_at (DsqFacts *self, guint64 position)
{
  guint64 offset = position % DSQ_FACTS_SIZE;
  gsize room = DSQ_FACTS_SIZE - offset;
  const Fact *fact;
  gssize n;

  g_byte_array_set_size (self->buffer, WINDOW);
  n = read_at (self, self->buffer->data, MIN (room, WINDOW), DATA_OFFSET + offset);
  fact = (const Fact *) (gconstpointer) self->buffer->data;
  if (n < (gssize) sizeof *fact || fact->position != position || fact->length > MAX_LENGTH ||
      fact->length > room || fact->length < sizeof *fact ||
      fact->body_length > fact->length - sizeof *fact)
    return NULL;
  if (n < (gssize) fact->length)
    {
      gsize length = fact->length;

      g_byte_array_set_size (self->buffer, (guint) length);
      fact = (const Fact *) (gconstpointer) self->buffer->data;
      if (read_at (self, self->buffer->data, length, DATA_OFFSET + offset) != (gssize) length ||
          fact->length != length || fact->position != position ||
          fact->body_length > length - sizeof *fact)
        return NULL;
    }
  return fact->hash ==
                 hash_of (self, &fact->position, fact->length - G_STRUCT_OFFSET (Fact, position))
             ? fact
             : NULL;
}

/* The one behind what is known, which it moves on. */
static const Fact *
read_next (DsqFacts *self)
{
  const Fact *fact = read_fact_at (self, self->end);

  if (fact == NULL && self->end % DSQ_FACTS_SIZE != 0)
    fact = read_fact_at (self, next_lap (self->end));
  if (fact != NULL)
    self->end = fact->position + fact->length;
  return fact;
}

static void
start_from_hint (DsqFacts *self)
{
  if (self->is_synced)
    return;
  self->end = self->hint = read_hint (self);
}

/* A start of the log anew changes nothing but the state's name. */
static gboolean
is_same (const DsqWalStamp *one, const DsqWalStamp *other)
{
  return dsq_wal_stamp_equal (one, other) || dsq_wal_stamp_is_restart_of (one, other) ||
         dsq_wal_stamp_is_restart_of (other, one);
}

/* Adds its items to what was found. FALSE: it was made by somebody who has not the keys. */
static gboolean
take_items (DsqFacts *self, const Fact *fact)
{
  const guint8 *body = (const guint8 *) (fact + 1);
  guint begin = self->items->len;

  if (self->keys == NULL)
    {
      g_byte_array_append (self->items, body, fact->body_length);
      return TRUE;
    }
  if (fact->body_length < DSQ_KEY_OVERHEAD)
    return FALSE;
  g_byte_array_set_size (self->items, begin + fact->body_length - DSQ_KEY_OVERHEAD);
  return dsq_keys_unseal (self->keys,
                          DSQ_KEY_FACT,
                          (const guint8 *) &fact->position,
                          sizeof *fact - G_STRUCT_OFFSET (Fact, position),
                          body,
                          fact->body_length,
                          self->items->data + begin);
}

/* FALSE: these are none. */
static gboolean
split_items (DsqFacts *self)
{
  const guint8 *at = self->items->data;
  gsize left = self->items->len;

  g_array_set_size (self->found, 0);
  while (left > 0)
    {
      Item item;
      DsqKey key;

      if (left < sizeof item)
        return FALSE;
      memcpy (&item, at, sizeof item);
      at += sizeof item;
      left -= sizeof item;
      if (item.length > left || item.table == 0 || item.table > DSQ_TABLE_MAX ||
          !dsq_key_codec_validate (at, item.length, NULL))
        return FALSE;
      key = (DsqKey){ at, item.length, item.table, dsq_hash (item.table, at, item.length) };
      g_array_append_val (self->found, key);
      at += item.length;
      left -= item.length;
    }
  return TRUE;
}

static void
wait_for_fact (guint n_looks)
{
  if (n_looks < YIELD_LOOKS)
    sched_yield ();
  else
    g_usleep (LOOK_WAIT_US);
}

gboolean
dsq_facts_follow (DsqFacts *self,
                  const DsqWalStamp *from,
                  const DsqWalStamp *to,
                  DsqColdChanged *out_changed)
{
  DsqWalStamp state = *from;
  gboolean is_whole = TRUE;
  guint n_looks = self->is_hopeful ? 0 : WAIT_LOOKS;

  dsq_mutex_assert_may_wait ("a fact");
  trim (&self->buffer);
  trim (&self->items);
  if (!dsq_facts_file_open (&self->file, FALSE))
    return FALSE;
  start_from_hint (self);
  g_byte_array_set_size (self->items, 0);
  out_changed->next_expiry = G_MAXINT64;
  while (!is_same (&state, to))
    {
      const Fact *fact = read_next (self);

      if (fact == NULL && n_looks++ < WAIT_LOOKS)
        {
          wait_for_fact (n_looks);
          continue;
        }
      if (fact == NULL)
        {
          self->is_hopeful = FALSE;
          lose (self);
          return FALSE;
        }
      if (!is_same (&state, &fact->before))
        continue;
      state = fact->after;
      out_changed->next_expiry = MIN (out_changed->next_expiry, fact->next_expiry);
      is_whole = is_whole && (fact->flags & EVERYTHING) == 0 && take_items (self, fact);
    }
  self->is_synced = self->is_hopeful = TRUE;
  if (!is_whole || !split_items (self))
    return FALSE;
  out_changed->keys = (const DsqKey *) (gconstpointer) self->found->data;
  out_changed->n_keys = self->found->len;
  return TRUE;
}

/* --- writing ---------------------------------------------------------------------------------- */

void
dsq_facts_start (DsqFacts *self)
{
  trim (&self->written);
  g_byte_array_set_size (self->written, sizeof (Fact) + DSQ_KEY_NONCE_LENGTH);
  self->changes_everything = FALSE;
  self->next_expiry = G_MAXINT64;
}

void
dsq_facts_add_everything (DsqFacts *self)
{
  dsq_facts_start (self);
  self->changes_everything = TRUE;
}

void
dsq_facts_add (DsqFacts *self, const DsqEntry *entry)
{
  const Item item = { entry->table, entry->key_length };

  if (self->changes_everything)
    return;
  if (self->written->len + sizeof item + item.length > MAX_LENGTH - DSQ_KEY_TAG_LENGTH - 8)
    {
      dsq_facts_add_everything (self);
      return;
    }
  g_byte_array_append (self->written, (const guint8 *) &item, sizeof item);
  g_byte_array_append (self->written, dsq_entry_key (entry), item.length);
  if (entry->has_expiry)
    self->next_expiry = MIN (self->next_expiry, dsq_entry_expires (entry));
}

/* Where the next fact goes. */
static void
find_end (DsqFacts *self)
{
  if (self->is_synced)
    return;
  start_from_hint (self);
  while (read_next (self) != NULL)
    ;
  self->is_synced = TRUE;
  write_header (self);
}

/* Makes one fact, hashed, of the items and their head. In a plain store there is no nonce between
 * the two. NULL without random bytes. */
static const guint8 *
make_fact (DsqFacts *self, Fact *fact)
{
  gsize gap = self->keys == NULL ? DSQ_KEY_NONCE_LENGTH : 0;
  gsize n_items = self->written->len - sizeof *fact - DSQ_KEY_NONCE_LENGTH;
  gsize n_padding;
  guint8 *begin;

  fact->body_length = (guint32) (n_items + (self->keys == NULL ? 0 : DSQ_KEY_OVERHEAD));
  fact->length = (guint32) ((sizeof *fact + fact->body_length + 7) & ~(gsize) 7);
  n_padding = fact->length - sizeof *fact - fact->body_length;
  if (fact->length > DSQ_FACTS_SIZE - self->end % DSQ_FACTS_SIZE)
    self->end = next_lap (self->end);
  fact->position = self->end;

  g_byte_array_set_size (self->written, (guint) (gap + fact->length));
  begin = self->written->data + gap;
  memset (begin + fact->length - n_padding, 0, n_padding);
  if (self->keys != NULL && !dsq_keys_seal (self->keys,
                                            DSQ_KEY_FACT,
                                            (const guint8 *) &fact->position,
                                            sizeof *fact - G_STRUCT_OFFSET (Fact, position),
                                            begin + sizeof *fact,
                                            n_items,
                                            NULL))
    return NULL;
  memcpy (begin, fact, sizeof *fact);
  fact->hash =
      hash_of (self, begin + G_STRUCT_OFFSET (Fact, position), fact->length - sizeof fact->hash);
  memcpy (begin, &fact->hash, sizeof fact->hash);
  return begin;
}

/* Opens the ring as well. */
static gboolean
has_somebody_to_tell (DsqFacts *self)
{
  gboolean was_open = self->file.descriptor >= 0;

  /* a look at the name costs more than a fact */
  if (!was_open && self->n_untold++ % RETRY_COMMITS != 0)
    return FALSE;
  if (!dsq_facts_file_open (&self->file, TRUE) || !self->file.can_write)
    return FALSE;
  if (self->n_sure > 0)
    self->n_sure--;
  else if (!was_open || dsq_facts_file_is_shared (&self->file))
    self->n_sure = SURE_COMMITS;
  else
    {
      if (++self->n_untold % RETRY_COMMITS == 0)
        lose (self);
      return FALSE;
    }
  self->n_untold = 0;
  return TRUE;
}

void
dsq_facts_append (DsqFacts *self, const DsqWalStamp *before, const DsqWalStamp *after)
{
  Fact fact = { .flags = self->changes_everything ? EVERYTHING : 0,
                .next_expiry = self->next_expiry,
                .before = *before,
                .after = *after };
  const guint8 *bytes;

  if (!has_somebody_to_tell (self))
    return;
  find_end (self);
  bytes = make_fact (self, &fact);
  if (bytes == NULL ||
      !write_at (self, bytes, fact.length, DATA_OFFSET + self->end % DSQ_FACTS_SIZE))
    {
      lose (self);
      return;
    }
  self->end += fact.length;
  self->is_hopeful = TRUE;
  if (self->end - self->hint >= HINT_BYTES)
    {
      write_header (self);
      if (!dsq_facts_file_has_name (&self->file))
        lose (self);
    }
}
