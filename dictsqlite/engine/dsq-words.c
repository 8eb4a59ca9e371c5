/* dsq-words.c - words that tell a binding, without a call, that nothing has changed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "engine/dsq-words-private.h"

/*
 *   page 0 ... 16   DsqWords     private, wiped in the child of a fork
 *   page 17         the index's  shared with SQLite, or empty
 *
 * SQLite's own mapping of the index goes when it likes; this one is another of the same page, and
 * gives place to an empty page before SQLite lets the file go, which a later one may cut short.
 *
 * One who looks has no lock. Loads that a compiler keeps in order are in order on x86-64, and an
 * interpreter's are far apart; on other machines there are no words.
 */

#if defined(__x86_64__) && defined(__linux__) && defined(MADV_WIPEONFORK)

#define PAGE      4096
#define OWN_BYTES ((sizeof (DsqWords) + PAGE - 1) / PAGE * PAGE)

G_STATIC_ASSERT (DSQ_WORD_WALKS == G_STRUCT_OFFSET (DsqWords, walks) / 8);
G_STATIC_ASSERT (DSQ_WORD_ASKS == G_STRUCT_OFFSET (DsqWords, asks) / 8);
G_STATIC_ASSERT (DSQ_WORD_TABLES == G_STRUCT_OFFSET (DsqWords, tables) / 8);
G_STATIC_ASSERT (DSQ_WORD_UNTIL == G_STRUCT_OFFSET (DsqWords, until) / 8);
/* the checksum of the index's header, which depends on every byte of every commit */
G_STATIC_ASSERT (DSQ_WORD_LIVE == (OWN_BYTES + 40) / 8);
G_STATIC_ASSERT (DSQ_N_WORDS == DSQ_WORD_LIVE + 1);

/* An area goes on from where the store before left it; one that is new, or was wiped, from where no
 * other comes to: a word may move 2^41 times. */
#define MOST_AREAS 1024
#define MOST_MOVES (G_MAXUINT64 / DSQ_WORDS_N_SLOTS / MOST_AREAS)

static guint64 n_areas; /* (atomic) */

static DsqWords *unused; /* (atomic) the first of a list that is only taken as a whole */

static void
put_back (DsqWords *first)
{
  while (first != NULL)
    {
      DsqWords *self = first;
      DsqWords *head = __atomic_load_n (&unused, __ATOMIC_RELAXED);

      first = self->next;
      do
        self->next = head;
      while (!__atomic_compare_exchange_n (&unused,
                                           &head,
                                           self,
                                           TRUE,
                                           __ATOMIC_RELEASE,
                                           __ATOMIC_RELAXED));
    }
}

static gpointer
map_empty (gpointer place, gsize n_bytes)
{
  int fixed = place != NULL ? MAP_FIXED : 0;

  return mmap (place, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
}

static DsqWords *
map (void)
{
  gpointer area = map_empty (NULL, OWN_BYTES + PAGE);

  if (area == MAP_FAILED)
    return NULL;
  if (madvise (area, OWN_BYTES, MADV_WIPEONFORK) == 0)
    return area;
  munmap (area, OWN_BYTES + PAGE);
  return NULL;
}

static DsqWords *
take (void)
{
  DsqWords *self = __atomic_exchange_n (&unused, NULL, __ATOMIC_ACQUIRE);

  if (self == NULL)
    return __atomic_load_n (&n_areas, __ATOMIC_RELAXED) < MOST_AREAS ? map () : NULL;
  put_back (self->next);
  return self;
}

/* Words that none has been; FALSE when there are no more. */
static gboolean
begin_anew (DsqWords *self)
{
  guint64 n_moves = 0;

  for (guint i = 0; i < DSQ_WORDS_N_SLOTS; i++)
    n_moves = MAX (n_moves, self->slots[i] / DSQ_WORDS_N_SLOTS);
  for (guint i = 0; i < DSQ_WORDS_N_TABLES; i++)
    n_moves = MAX (n_moves, self->tables[i]);
  if (n_moves == 0)
    {
      guint64 area = __atomic_fetch_add (&n_areas, 1, __ATOMIC_RELAXED);

      if (area >= MOST_AREAS)
        return FALSE;
      n_moves = area * MOST_MOVES;
    }
  n_moves++;
  for (guint i = 0; i < DSQ_WORDS_N_SLOTS; i++)
    __atomic_store_n (&self->slots[i], n_moves * DSQ_WORDS_N_SLOTS + i, __ATOMIC_RELEASE);
  for (guint i = 0; i < DSQ_WORDS_N_TABLES; i++)
    __atomic_store_n (&self->tables[i], n_moves, __ATOMIC_RELEASE);
  __atomic_store_n (&self->until, 0, __ATOMIC_RELEASE);
  __atomic_store_n (&self->walks, MAX (n_moves, self->walks + 1), __ATOMIC_RELEASE);
  return TRUE;
}

DsqWords *
dsq_words_new (const volatile guint64 *live)
{
  DsqWords *self;

  if (sysconf (_SC_PAGESIZE) != PAGE)
    return NULL;
  /* one that cannot begin never will, and somebody may look at it still */
  do
    self = take ();
  while (self != NULL && !begin_anew (self));
  if (self == NULL)
    return NULL;
  self->next = NULL;
  /* of no length: the old mapping stays, which only a shared one can */
  if (live == NULL || mremap ((gpointer) live,
                              0,
                              PAGE,
                              MREMAP_MAYMOVE | MREMAP_FIXED,
                              (guint8 *) self + OWN_BYTES) != MAP_FAILED)
    return self;
  dsq_words_free (self);
  return NULL;
}

void
dsq_words_forget_live (DsqWords *self)
{
  if (map_empty ((guint8 *) self + OWN_BYTES, PAGE) == MAP_FAILED)
    g_error ("out of memory");
}

void
dsq_words_free (DsqWords *self)
{
  dsq_words_forget_live (self);
  self->next = NULL;
  put_back (self);
}

#else

DsqWords *
dsq_words_new (const volatile guint64 *live)
{
  return NULL;
}

void
dsq_words_forget_live (DsqWords *self)
{
}

void
dsq_words_free (DsqWords *self)
{
}

#endif
