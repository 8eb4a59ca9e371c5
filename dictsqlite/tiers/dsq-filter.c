/* dsq-filter.c - which keys are surely not in the file
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tiers/dsq-filter-private.h"

/*
 * Blocks of one cache line (Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom
 * Filters", 2007): the high half of the hash tells the block, and N_BITS of its 512 bits come from
 * the low half. At 12 bits of memory a key, 0.44 % of the absent keys are not seen to be absent
 * (measured; 0.42 % with 7 bits, 0.54 % with 5).
 *
 *   memory   [ layer 0 ............ | layer 1 ....................... | not used yet ]
 *
 * When as many keys have been added as a layer is for, the next is opened, as large as all before
 * it. A key is in one of them, and all are asked.
 *
 * The memory is reserved once, as addresses, and stays where it is until the end, so nobody can ask
 * memory that is gone. What is asked may be emptied meanwhile, though: one word tells the state
 * and the build's number, and a "no" counts only if the word is the same after the look.
 */

#define BLOCK_BYTES 64
#define BITS_A_KEY  12
#define N_BITS      6
#define MAX_LAYERS  16
/* Most layers that, all full, are still right about 99 of 100 absent keys. */
#define MAX_GOOD_LAYERS 2
#define MIN_FIRST_SIZE  (128u * 1024)

typedef enum
{
  UNBUILT,
  BUILDING,
  READY,
  USELESS
} State;

/* The state word. */
#define WORD(build, state, n_layers) ((guint64) (build) << 32 | (guint64) (state) << 8 | (n_layers))
#define WORD_BUILD(word)             ((guint32) ((word) >> 32))
#define WORD_STATE(word)             ((State) ((word) >> 8 & 0xFF))
#define WORD_LAYERS(word)            ((guint) ((word) &0xFF))

typedef struct
{
  guint64 first;    /* (atomic) its first block */
  guint64 n_blocks; /* (atomic) fewer than 2^32 */
  guint64 n_keys;   /* (atomic) */
} Layer;

struct _DsqFilter
{
  guint64 *memory; /* (owned) (atomic) addresses of max_blocks blocks; NULL: always useless */
  guint64 max_blocks;
  guint64 word; /* (atomic) build, state, layers */
  Layer layers[MAX_LAYERS];
};

DsqFilter *
dsq_filter_new (gsize max_bytes)
{
  DsqFilter *self = g_new0 (DsqFilter, 1);
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize n_bytes = (MIN (max_bytes, G_MAXSIZE - page) + page - 1) / page * page;

  self->word = WORD (1, USELESS, 0);
  if (n_bytes == 0)
    return self;
  self->memory = mmap (NULL,
                       n_bytes,
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                       -1,
                       0);
  if (self->memory == MAP_FAILED)
    {
      self->memory = NULL;
      return self;
    }
  self->max_blocks = MIN (n_bytes / BLOCK_BYTES, G_MAXUINT32);
  self->word = WORD (1, UNBUILT, 0);
  return self;
}

static gsize
reserved_bytes (const DsqFilter *self)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);

  return (self->max_blocks * BLOCK_BYTES + page - 1) / page * page;
}

void
dsq_filter_free (DsqFilter *self)
{
  if (self->memory != NULL)
    munmap (self->memory, reserved_bytes (self));
  g_free (self);
}

/* FALSE if the state word was no longer @from. */
static gboolean
change_state (DsqFilter *self, guint64 from, guint64 to)
{
  return __atomic_compare_exchange_n (&self->word,
                                      &from,
                                      to,
                                      FALSE,
                                      __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED);
}

/* Makes all memory zero, and gives it back. Who asks meanwhile and finds a bit gone finds the new
 * state word as well. Memory that is locked cannot be given back. */
static void
wipe (DsqFilter *self)
{
  if (madvise (self->memory, reserved_bytes (self), MADV_DONTNEED) == 0)
    return;
  for (guint64 i = 0; i < self->max_blocks * (BLOCK_BYTES / 8); i++)
    __atomic_store_n (&self->memory[i], 0, __ATOMIC_RELEASE);
}

/* --- one block ------------------------------------------------------------------------------- */

/* A key's block in a layer. */
static inline guint64 *
layer_block (const DsqFilter *self, const Layer *layer, guint64 hash)
{
  guint64 n_blocks = __atomic_load_n (&layer->n_blocks, __ATOMIC_RELAXED);
  guint64 first = __atomic_load_n (&layer->first, __ATOMIC_RELAXED);

  return self->memory + (first + ((hash >> 32) * n_blocks >> 32)) * (BLOCK_BYTES / 8);
}

/* N_BITS times 9 bits, from the low half of the hash: the upper ones of the product. */
static inline guint64
block_bits (guint64 hash)
{
  return (hash & G_MAXUINT32) * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15) >> (64 - 9 * N_BITS);
}

/* Acquiring, so that the state word is read again only after the bits. */
static inline gboolean
block_has (const guint64 *block, guint64 bits)
{
  guint64 has = 1;

  for (guint i = 0; i < N_BITS; i++, bits >>= 9)
    has &= __atomic_load_n (&block[bits >> 6 & 7], __ATOMIC_ACQUIRE) >> (bits & 63);
  return (gboolean) has;
}

/* A bit that is there already costs no write: half of them are, in a full layer. */
static void
block_set (guint64 *block, guint64 bits)
{
  for (guint i = 0; i < N_BITS; i++, bits >>= 9)
    {
      guint64 *word = &block[bits >> 6 & 7];
      guint64 bit = G_GUINT64_CONSTANT (1) << (bits & 63);

      if ((__atomic_load_n (word, __ATOMIC_ACQUIRE) & bit) == 0)
        __atomic_fetch_or (word, bit, __ATOMIC_RELEASE);
    }
}

/* --- ask and add ----------------------------------------------------------------------------- */

static inline gboolean
layers_have (const DsqFilter *self, guint n_layers, guint64 hash)
{
  guint64 bits = block_bits (hash);

  for (guint i = 0; i < n_layers; i++)
    if (block_has (layer_block (self, &self->layers[i], hash), bits))
      return TRUE;
  return FALSE;
}

gboolean
dsq_filter_may_contain (DsqFilter *self, guint64 hash)
{
  guint64 word = __atomic_load_n (&self->word, __ATOMIC_ACQUIRE);

  if (WORD_STATE (word) != READY || layers_have (self, WORD_LAYERS (word), hash))
    return TRUE;
  /* a layer that was opened since holds only what was added since */
  return (__atomic_load_n (&self->word, __ATOMIC_RELAXED) ^ word) >> 8 != 0;
}

static guint64
layer_capacity (guint64 n_blocks)
{
  return n_blocks * (BLOCK_BYTES * 8) / BITS_A_KEY;
}

/* Opens the layer after those of @word. All who do this at a time write the same. */
static void
open_next_layer (DsqFilter *self, guint64 word)
{
  guint n_layers = WORD_LAYERS (word);
  const Layer *last = &self->layers[n_layers - 1];
  guint64 n_used = __atomic_load_n (&last->first, __ATOMIC_RELAXED) +
                   __atomic_load_n (&last->n_blocks, __ATOMIC_RELAXED);
  guint64 n_blocks = MIN (n_used, self->max_blocks - n_used);

  if (n_layers == MAX_LAYERS || n_blocks == 0)
    {
      if (change_state (self, word, WORD (WORD_BUILD (word), USELESS, 0)))
        wipe (self);
      return;
    }
  __atomic_store_n (&self->layers[n_layers].first, n_used, __ATOMIC_RELAXED);
  __atomic_store_n (&self->layers[n_layers].n_blocks, n_blocks, __ATOMIC_RELAXED);
  change_state (self, word, WORD (WORD_BUILD (word), WORD_STATE (word), n_layers + 1));
}

void
dsq_filter_add (DsqFilter *self, guint64 hash)
{
  guint64 word = __atomic_load_n (&self->word, __ATOMIC_ACQUIRE);
  guint64 n_keys;
  Layer *layer;

  if ((WORD_STATE (word) != BUILDING && WORD_STATE (word) != READY) ||
      layers_have (self, WORD_LAYERS (word), hash))
    return;
  layer = &self->layers[WORD_LAYERS (word) - 1];
  block_set (layer_block (self, layer, hash), block_bits (hash));
  n_keys = __atomic_add_fetch (&layer->n_keys, 1, __ATOMIC_RELAXED);
  if (n_keys >= layer_capacity (__atomic_load_n (&layer->n_blocks, __ATOMIC_RELAXED)))
    open_next_layer (self, word);
}

/* --- build ----------------------------------------------------------------------------------- */

void
dsq_filter_reset (DsqFilter *self)
{
  guint64 word;

  if (self->memory == NULL)
    return;
  do
    word = __atomic_load_n (&self->word, __ATOMIC_RELAXED);
  while (!change_state (self, word, WORD (WORD_BUILD (word) + 1, UNBUILT, 0)));
}

/* Blocks of the first layer for @n_keys and half as many to come; 0 if even they alone are too
 * many. */
static guint64
first_layer_blocks (const DsqFilter *self, guint64 n_keys)
{
  guint64 n_wanted;

  if (n_keys > layer_capacity (self->max_blocks))
    return 0;
  n_wanted = (n_keys + n_keys / 2) * BITS_A_KEY / (BLOCK_BYTES * 8) + 1;
  return MIN (MAX (n_wanted, MIN_FIRST_SIZE / BLOCK_BYTES), self->max_blocks);
}

guint32
dsq_filter_begin (DsqFilter *self, guint64 n_keys)
{
  guint64 n_blocks = first_layer_blocks (self, n_keys);
  guint32 build;

  dsq_filter_reset (self);
  if (self->memory == NULL)
    return 0;
  build = WORD_BUILD (__atomic_load_n (&self->word, __ATOMIC_RELAXED));

  if (n_blocks == 0)
    {
      change_state (self, WORD (build, UNBUILT, 0), WORD (build, USELESS, 0));
      return 0;
    }
  wipe (self);
  for (guint i = 0; i < MAX_LAYERS; i++)
    __atomic_store_n (&self->layers[i].n_keys, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&self->layers[0].first, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&self->layers[0].n_blocks, n_blocks, __ATOMIC_RELAXED);
  change_state (self, WORD (build, UNBUILT, 0), WORD (build, BUILDING, 1));
  return build;
}

gboolean
dsq_filter_finish (DsqFilter *self, guint32 build)
{
  guint64 word = __atomic_load_n (&self->word, __ATOMIC_ACQUIRE);

  while (WORD_BUILD (word) == build && WORD_STATE (word) == BUILDING)
    {
      if (change_state (self, word, WORD (build, READY, WORD_LAYERS (word))))
        return TRUE;
      word = __atomic_load_n (&self->word, __ATOMIC_ACQUIRE);
    }
  return FALSE;
}

gboolean
dsq_filter_is_current (DsqFilter *self, guint32 build)
{
  return WORD_BUILD (__atomic_load_n (&self->word, __ATOMIC_ACQUIRE)) == build;
}

gboolean
dsq_filter_is_active (DsqFilter *self)
{
  State state = WORD_STATE (__atomic_load_n (&self->word, __ATOMIC_RELAXED));

  return state == BUILDING || state == READY;
}

/* --- state ----------------------------------------------------------------------------------- */

gboolean
dsq_filter_wants_build (DsqFilter *self, guint64 n_keys)
{
  guint64 word = __atomic_load_n (&self->word, __ATOMIC_RELAXED);

  if (WORD_STATE (word) == BUILDING ||
      (WORD_STATE (word) == READY && WORD_LAYERS (word) <= MAX_GOOD_LAYERS))
    return FALSE;
  return n_keys < layer_capacity (self->max_blocks) / 4 * 3;
}

void
dsq_filter_get_stats (DsqFilter *self, DsqFilterStats *out_stats)
{
  guint64 word = __atomic_load_n (&self->word, __ATOMIC_ACQUIRE);

  *out_stats =
      (DsqFilterStats){ .n_layers = WORD_LAYERS (word), .is_ready = WORD_STATE (word) == READY };
  for (guint i = 0; i < WORD_LAYERS (word); i++)
    {
      out_stats->keys += __atomic_load_n (&self->layers[i].n_keys, __ATOMIC_RELAXED);
      out_stats->bytes +=
          __atomic_load_n (&self->layers[i].n_blocks, __ATOMIC_RELAXED) * BLOCK_BYTES;
    }
}
