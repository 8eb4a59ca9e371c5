/* file-damage-pages.c - pages exchanged, cut, zeroed and mixed, in the file and in its log
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "file-damage.h"

#define MAX_STEPS 6

/* Most steps are one alone: what one alone does is what several hide. */
static guint
pick_steps (GRand *rand)
{
  return damage_pick (rand, 3) > 0 ? 1 : 1 + damage_pick (rand, MAX_STEPS);
}

/* --- pages ------------------------------------------------------------------------------------ */

static guint
n_pages (const GByteArray *file)
{
  return file->len / IMAGE_PAGE_SIZE;
}

/* NULL if a cut has left nothing there. */
static guint8 *
page_at (GByteArray *file, guint32 page)
{
  return page >= 1 && page <= n_pages (file) ? file->data + (gsize) (page - 1) * IMAGE_PAGE_SIZE
                                             : NULL;
}

static gboolean
is_of_rows (const Image *image, guint32 page)
{
  for (guint i = 0; i < image->rows->len; i++)
    {
      const GArray *pages = g_array_index (image->rows, ImageRow, i).pages;

      for (guint j = 0; j < pages->len; j++)
        if (g_array_index (pages, guint32, j) == page)
          return TRUE;
    }
  return FALSE;
}

static void
note_page (Damage *self, guint32 page)
{
  g_array_append_val (self->pages, page);
  self->is_local = self->is_local && is_of_rows (self->image, page);
}

static guint8 *
pick_page (Damage *self, GRand *rand, guint32 *out_page)
{
  *out_page = 1 + damage_pick (rand, n_pages (self->file));
  note_page (self, *out_page);
  return page_at (self->file, *out_page);
}

/* A page of any file there is, this one's own included. */
static const guint8 *
pick_donor (const Images *images, GRand *rand)
{
  GByteArray *file = images->images[damage_pick (rand, IMAGE_N)].file;

  return page_at (file, 1 + damage_pick (rand, n_pages (file)));
}

static void
exchange_pages (Damage *self, GRand *rand)
{
  guint8 bytes[IMAGE_PAGE_SIZE];
  guint32 a, b;
  guint8 *left = pick_page (self, rand, &a);
  guint8 *right = pick_page (self, rand, &b);

  if (left == NULL || right == NULL)
    return;
  memcpy (bytes, left, sizeof bytes);
  memcpy (left, right, sizeof bytes);
  memcpy (right, bytes, sizeof bytes);
  g_string_append_printf (self->what, " exchange pages %u, %u;", a, b);
}

/* The same page of a file of before: a rollback of a part. */
static void
age_page (Damage *self, const Images *images, GRand *rand)
{
  guint base = self->image->is_encrypted ? IMAGE_N_STATES : 0;
  GByteArray *file = images->images[base + damage_pick (rand, IMAGE_N_STATES)].file;
  guint32 page;
  guint8 *to = pick_page (self, rand, &page);
  const guint8 *from = page_at (file, page);

  if (to == NULL || from == NULL)
    return;
  memcpy (to, from, IMAGE_PAGE_SIZE);
  g_string_append_printf (self->what, " page %u as it was once;", page);
}

static void
copy_page (Damage *self, const Images *images, GRand *rand)
{
  guint32 page;
  guint8 *to = pick_page (self, rand, &page);

  if (to == NULL)
    return;
  memmove (to, pick_donor (images, rand), IMAGE_PAGE_SIZE);
  g_string_append_printf (self->what, " another page at %u;", page);
}

static void
zero_page (Damage *self, GRand *rand)
{
  guint32 page;
  guint8 *at = pick_page (self, rand, &page);
  guint from = damage_pick (rand, 2) * damage_pick (rand, IMAGE_PAGE_SIZE);
  guint length = damage_pick (rand, 2) == 0 ? IMAGE_PAGE_SIZE - from
                                            : damage_pick (rand, IMAGE_PAGE_SIZE - from);

  if (at == NULL)
    return;
  memset (at + from, damage_pick (rand, 4) == 0 ? 0xFF : 0, length);
  g_string_append_printf (self->what, " page %u: %u bytes from %u;", page, length, from);
}

/* Bytes at the head of a page say more than others. */
static void
change_bytes (Damage *self, GRand *rand)
{
  static const guint8 telling[] = { 0, 1, 2, 5, 10, 13, 0x7F, 0x80, 0xFE, 0xFF };
  guint32 page;
  guint8 *at = pick_page (self, rand, &page);
  guint reach = damage_pick (rand, 2) == 0 ? 64 : IMAGE_PAGE_SIZE;

  for (guint n = 1 + damage_pick (rand, 4); n > 0 && at != NULL; n--)
    {
      guint8 *byte = &at[damage_pick (rand, reach)];

      if (damage_pick (rand, 2) == 0)
        *byte ^= (guint8) (1 << damage_pick (rand, 8));
      else
        *byte = telling[damage_pick (rand, G_N_ELEMENTS (telling))];
      g_string_append_printf (self->what, " page %u byte %u;", page, (guint) (byte - at));
    }
}

/* A pointer leads to another page: of a child, if the page has any, else of a cell. */
static void
change_pointer (Damage *self, GRand *rand)
{
  guint32 page;
  guint8 *at = pick_page (self, rand, &page);
  guint8 *header = at != NULL && page == 1 ? at + 100 : at;
  guint n_cells, cell;
  guint32 target;

  if (at == NULL)
    return;
  n_cells = (guint) (header[3] << 8 | header[4]);
  target = GUINT32_TO_BE (1 + damage_pick (rand, n_pages (self->file)));
  if (header[0] != 2 && header[0] != 5)
    {
      cell = 8 + 2 * damage_pick (rand, MAX (n_cells, 1));
      header[cell % 1024] = (guint8) damage_pick (rand, 16);
    }
  else if (n_cells == 0 || damage_pick (rand, 4) == 0)
    memcpy (header + 8, &target, sizeof target);
  else
    {
      const guint8 *pointer = header + 12 + 2 * damage_pick (rand, MIN (n_cells, 1024));

      cell = (guint) (pointer[0] << 8 | pointer[1]) % (IMAGE_PAGE_SIZE - 4);
      memcpy (at + cell, &target, sizeof target);
    }
  g_string_append_printf (self->what, " a pointer of page %u;", page);
}

/* At its end, at a page's or anywhere. */
static void
change_length (Damage *self, const Images *images, GRand *rand)
{
  guint length = damage_pick (rand, self->file->len + 1);

  self->is_local = FALSE;
  if (damage_pick (rand, 2) == 0)
    length -= length % IMAGE_PAGE_SIZE;
  if (damage_pick (rand, 3) > 0)
    g_byte_array_set_size (self->file, length);
  else
    for (guint n = 1 + damage_pick (rand, 8); n > 0; n--)
      g_byte_array_append (self->file, pick_donor (images, rand), IMAGE_PAGE_SIZE);
  g_string_append_printf (self->what, " now %u bytes;", self->file->len);
}

void
damage_pages (Damage *self, const Images *images, GRand *rand)
{
  for (guint n = pick_steps (rand); n > 0; n--)
    switch (damage_pick (rand, 16))
      {
      case 0:
      case 1:
      case 2:
        exchange_pages (self, rand);
        break;
      case 3:
      case 4:
        age_page (self, images, rand);
        break;
      case 5:
      case 6:
        copy_page (self, images, rand);
        break;
      case 7:
      case 8:
        zero_page (self, rand);
        break;
      case 9:
        change_length (self, images, rand);
        break;
      case 10:
      case 11:
      case 12:
        change_pointer (self, rand);
        break;
      default:
        change_bytes (self, rand);
      }
}

/* --- the log ---------------------------------------------------------------------------------- */

/* As https://www.sqlite.org/fileformat2.html#walformat has it. */
#define LOG_HEADER       32
#define LOG_FRAME        (24 + IMAGE_PAGE_SIZE)
#define LOG_AT_CHECKSUM  24
#define FRAME_AT_PAGE    0
#define FRAME_AT_SALT    8
#define FRAME_AT_SUM     16
#define FRAME_AT_CONTENT 24

static guint
n_frames (const GByteArray *log)
{
  return log->len < LOG_HEADER ? 0 : (log->len - LOG_HEADER) / LOG_FRAME;
}

static guint8 *
frame_at (GByteArray *log, guint frame)
{
  return log->data + LOG_HEADER + (gsize) frame * LOG_FRAME;
}

static void
add_to_sum (guint32 sum[2], const guint8 *bytes, gsize length, gboolean is_big_endian)
{
  for (gsize i = 0; i < length; i += 8)
    {
      guint32 words[2];

      memcpy (words, bytes + i, sizeof words);
      for (guint w = 0; w < 2; w++)
        words[w] = is_big_endian ? GUINT32_FROM_BE (words[w]) : GUINT32_FROM_LE (words[w]);
      sum[0] += words[0] + sum[1];
      sum[1] += words[1] + sum[0];
    }
}

static void
put_sum (guint8 *at, const guint32 sum[2])
{
  const guint32 words[2] = { GUINT32_TO_BE (sum[0]), GUINT32_TO_BE (sum[1]) };

  memcpy (at, words, sizeof words);
}

/* So that SQLite believes it: it is to reach what reads, not to be left out at its sums. */
static void
sum_up (GByteArray *log)
{
  guint32 sum[2] = { 0, 0 };
  gboolean is_big_endian;

  if (log->len < LOG_HEADER)
    return;
  is_big_endian = (log->data[3] & 1) != 0;
  add_to_sum (sum, log->data, LOG_AT_CHECKSUM, is_big_endian);
  put_sum (log->data + LOG_AT_CHECKSUM, sum);
  for (guint i = 0; i < n_frames (log); i++)
    {
      guint8 *frame = frame_at (log, i);

      memcpy (frame + FRAME_AT_SALT, log->data + 16, 8);
      add_to_sum (sum, frame, 8, is_big_endian);
      add_to_sum (sum, frame + FRAME_AT_CONTENT, IMAGE_PAGE_SIZE, is_big_endian);
      put_sum (frame + FRAME_AT_SUM, sum);
    }
}

static void
change_frame (Damage *self, const Images *images, GRand *rand)
{
  guint a = damage_pick (rand, n_frames (self->log));
  guint b = damage_pick (rand, n_frames (self->log));
  guint8 *frame = frame_at (self->log, a);
  guint32 page = GUINT32_TO_BE (1 + damage_pick (rand, n_pages (self->file)));

  g_string_append_printf (self->what, " frame %u", a);
  switch (damage_pick (rand, 6))
    {
    case 0: /* the content of another */
      memmove (frame + FRAME_AT_CONTENT,
               frame_at (self->log, b) + FRAME_AT_CONTENT,
               IMAGE_PAGE_SIZE);
      break;
    case 1: /* another page's */
      memcpy (frame + FRAME_AT_PAGE, &page, sizeof page);
      break;
    case 2: /* a commit, or none, or of another size */
      page = damage_pick (rand, 2) == 0 ? 0 : page;
      memcpy (frame + 4, &page, sizeof page);
      break;
    case 3:
      memset (frame + FRAME_AT_CONTENT, 0, IMAGE_PAGE_SIZE);
      break;
    case 4:
      memcpy (frame + FRAME_AT_CONTENT, pick_donor (images, rand), IMAGE_PAGE_SIZE);
      break;
    default:
      frame[damage_pick (rand, LOG_FRAME)] ^= (guint8) (1 << damage_pick (rand, 8));
    }
  g_string_append_c (self->what, ';');
}

void
damage_log (Damage *self, const Images *images, GRand *rand)
{
  const GByteArray *other = images->images[IMAGE_N_STATES * damage_pick (rand, 2) + 2].log;

  self->is_local = FALSE;
  for (guint n = pick_steps (rand); n > 0; n--)
    switch (damage_pick (rand, 8))
      {
      case 0:
        g_byte_array_set_size (self->log, damage_pick (rand, self->log->len + 1));
        g_string_append_printf (self->what, " log of %u bytes;", self->log->len);
        break;
      case 1:
        if (self->log->len > 0)
          self->log->data[damage_pick (rand, MIN (self->log->len, LOG_HEADER))] ^= 1;
        g_string_append (self->what, " the log's head;");
        break;
      case 2:
        g_byte_array_set_size (self->log, 0);
        g_byte_array_append (self->log, other->data, other->len);
        g_string_append (self->what, " another store's log;");
        break;
      default:
        if (n_frames (self->log) > 0)
          change_frame (self, images, rand);
      }
  if (damage_pick (rand, 4) > 0)
    sum_up (self->log);
}
