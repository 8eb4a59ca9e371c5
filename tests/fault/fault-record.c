/* fault-record.c - what is written to a store and its log, and what a power cut may leave of it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-record.h"

#include <pthread.h>
#include <string.h>

#define SECTOR 512

typedef struct
{
  FaultKind kind;
  guint inode;   /* of which file, by number */
  GBytes *bytes; /* (owned) (nullable) */
  gint64 offset;
} Call;

/* A file lives on without a name. */
typedef struct
{
  GByteArray *lasting; /* (owned) what was synced */
  guint n_lasting;     /* calls that it has */
} Inode;

#define STORE 0u /* the first inode; each log that is made is another */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static GArray *calls;  /* (owned) (mutex lock) of Call */
static GArray *inodes; /* (owned) of Inode */
static guint last_log; /* (mutex lock) inode of the log that has the name; STORE: none */

static void
call_clear (gpointer data)
{
  g_clear_pointer (&((Call *) data)->bytes, g_bytes_unref);
}

static void
inode_clear (gpointer data)
{
  g_byte_array_unref (((Inode *) data)->lasting);
}

static void
add_inode (const guint8 *bytes, gsize length)
{
  Inode inode = { g_byte_array_new (), 0 };

  g_byte_array_append (inode.lasting, bytes, (guint) length);
  g_array_append_val (inodes, inode);
}

static void
record (const FaultCall *call)
{
  Call noted = { .kind = call->kind, .offset = call->offset };

  if ((call->file & FAULT_LASTING) == 0 && call->kind != FAULT_FOLDER_SYNC)
    return;
  pthread_mutex_lock (&lock);
  if (call->kind == FAULT_OPEN)
    {
      add_inode (NULL, 0);
      last_log = inodes->len - 1;
    }
  noted.inode = call->file == FAULT_STORE ? STORE : last_log;
  if (call->kind == FAULT_REMOVE)
    last_log = STORE;
  if (call->bytes != NULL)
    noted.bytes = g_bytes_new (call->bytes, call->length);
  g_array_append_val (calls, noted);
  pthread_mutex_unlock (&lock);
}

void
fault_record_start (const guint8 *bytes, gsize length)
{
  calls = g_array_new (FALSE, FALSE, sizeof (Call));
  inodes = g_array_new (FALSE, FALSE, sizeof (Inode));
  g_array_set_clear_func (calls, call_clear);
  g_array_set_clear_func (inodes, inode_clear);
  add_inode (bytes, length);
  last_log = STORE;
  fault_record (record);
}

static void
ignore (const FaultCall *call)
{
}

/* Nothing that is opened later need last. */
void
fault_record_stop (void)
{
  fault_record (ignore);
}

guint
fault_record_get_n_calls (void)
{
  return calls->len;
}

void
fault_record_end (void)
{
  g_array_unref (calls);
  g_array_unref (inodes);
}

/* --- the medium ------------------------------------------------------------------------------- */

static void
put_bytes (GByteArray *image, gsize at, const guint8 *bytes, gsize length)
{
  const gsize before = image->len;

  if (at + length > before)
    {
      g_byte_array_set_size (image, (guint) (at + length));
      memset (image->data + before, 0, at + length - before);
    }
  memcpy (image->data + at, bytes, length);
}

/* With @random only some of its sectors. */
static void
apply_call (GByteArray *image, const Call *call, GRand *random)
{
  gsize length, until;
  const guint8 *bytes;

  if (random != NULL && g_rand_boolean (random))
    return;
  if (call->kind == FAULT_TRUNCATE)
    g_byte_array_set_size (image, (guint) MIN (call->offset, image->len));
  if (call->kind != FAULT_WRITE)
    return;
  bytes = g_bytes_get_data (call->bytes, &length);
  for (gsize at = 0; at < length; at = until)
    {
      until = MIN (length, at + SECTOR - ((gsize) call->offset + at) % SECTOR);
      if (random == NULL || g_rand_int_range (random, 0, 4) != 0)
        put_bytes (image, (gsize) call->offset + at, bytes + at, until - at);
    }
}

static void
build_file (guint number, guint n_calls, GByteArray *image, GRand *random)
{
  Inode *inode = &g_array_index (inodes, Inode, number);
  guint n_lasting = inode->n_lasting;

  for (guint i = n_lasting; i < n_calls; i++)
    {
      const Call *call = &g_array_index (calls, Call, i);

      if (call->inode == number && call->kind == FAULT_SYNC)
        n_lasting = i;
    }
  for (; inode->n_lasting < n_lasting; inode->n_lasting++)
    {
      const Call *call = &g_array_index (calls, Call, inode->n_lasting);

      if (call->inode == number)
        apply_call (inode->lasting, call, NULL);
    }
  g_byte_array_set_size (image, 0);
  g_byte_array_append (image, inode->lasting->data, inode->lasting->len);
  for (guint i = n_lasting; i < n_calls; i++)
    {
      const Call *call = &g_array_index (calls, Call, i);

      if (call->inode == number)
        apply_call (image, call, random);
    }
}

/* The log that the folder names, STORE for none. */
static guint
find_log (guint n_calls, FolderModel model, GRand *random)
{
  guint log = STORE;
  gboolean goes_on = TRUE;
  guint n_lasting = 0;

  for (guint i = 0; i < n_calls; i++)
    if (g_array_index (calls, Call, i).kind == FAULT_FOLDER_SYNC)
      n_lasting = i;
  for (guint i = 0; i < n_calls && goes_on; i++)
    {
      const Call *call = &g_array_index (calls, Call, i);

      if (call->kind != FAULT_OPEN && call->kind != FAULT_REMOVE)
        continue;
      goes_on = model == FOLDER_IN_ORDER || i < n_lasting || g_rand_boolean (random);
      if (goes_on)
        log = call->kind == FAULT_OPEN ? call->inode : STORE;
    }
  return log;
}

void
fault_record_build (guint n_calls,
                    FolderModel model,
                    GRand *random,
                    GByteArray *file,
                    GByteArray *log)
{
  const guint number = find_log (n_calls, model, random);

  build_file (STORE, n_calls, file, random);
  g_byte_array_set_size (log, 0);
  if (number != STORE)
    build_file (number, n_calls, log, random);
}
