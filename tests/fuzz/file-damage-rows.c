/* file-damage-rows.c - rows exchanged and changed, as SQL lets anybody do
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sqlite3.h>

#include "file-damage.h"

#define MAX_STEPS 4

/* Of one row, ?1, or of two, ?1 and ?2, which are places; other numbers and bytes are of chance. */
typedef struct
{
  const char *sql[4]; /* (nullable) one after the other */
  gboolean is_local;  /* to those two rows */
} Change;

#define OF(column, place) "(SELECT " column " FROM entry WHERE place = " place ")"

/* A statement may fail, as on a key that is there already: then the file is what it was. */
static const Change changes[] = {
  { { "CREATE TEMP TABLE kept AS SELECT value FROM entry WHERE place = ?1",
      "UPDATE entry SET value = " OF ("value", "?2") " WHERE place = ?1",
      "UPDATE entry SET value = (SELECT value FROM kept) WHERE place = ?2",
      "DROP TABLE kept" },
    TRUE },
  { { "CREATE TEMP TABLE kept AS SELECT name, value, expires FROM entry WHERE place = ?1",
      "UPDATE entry SET (name, value, expires) = "
      "(SELECT name, value, expires FROM entry WHERE place = ?2) WHERE place = ?1",
      "UPDATE entry SET (name, value, expires) = (SELECT * FROM kept) WHERE place = ?2",
      "DROP TABLE kept" },
    TRUE },
  { { "UPDATE entry SET name = " OF ("name", "?2") " WHERE place = ?1" }, TRUE },
  { { "CREATE TEMP TABLE kept AS SELECT token FROM entry WHERE place = ?1",
      "UPDATE entry SET token = randomblob (40) WHERE place = ?1",
      "UPDATE entry SET token = (SELECT token FROM kept) WHERE place = ?2",
      "DROP TABLE kept" },
    TRUE },
  { { "UPDATE entry SET token = randomblob (?3 % 40) WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET token = X'FF' || zeroblob (?3 % 9000) WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET token = CAST (X'FF' || printf ('%.*c', ?3 % 9000, '(')"
      " || printf ('%.*c', ?3 % 9000, ')') AS BLOB) WHERE place = ?1" },
    TRUE },
  { { "UPDATE entry SET value = randomblob (?3 % 9000) WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET value = zeroblob (?3 % 3000000) WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET value = substr (value, 1, ?3 % length (value)) WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET value = substr (value, 1, ?3 % length (value)) || X'00'"
      " || substr (value, 2 + ?3 % length (value)) WHERE place = ?1" },
    TRUE },
  { { "UPDATE entry SET value = value || X'00' WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET expires = ?3 WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET expires = NULL WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET expires = -?3 WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET expires = 0 WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET expires = 1 WHERE expires IS NOT NULL" }, FALSE },
  { { "UPDATE entry SET name = randomblob (?3 % 90) WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET name = NULL WHERE place = ?1" }, TRUE },
  { { "DELETE FROM entry WHERE place = ?1" }, TRUE },
  { { "UPDATE entry SET place = -place WHERE place = ?1" }, FALSE },
  { { "UPDATE entry SET place = ?3 WHERE place = ?1" }, FALSE },
  { { "UPDATE entry SET place = place + (?3 << 20) WHERE place = ?1" }, FALSE },
  { { "UPDATE entry SET place = 9223372036854775807 WHERE place = ?1" }, FALSE },
  { { "UPDATE entry SET table_id = ?3 WHERE place = ?1" }, FALSE },
  { { "UPDATE entry SET table_id = 1 + ?3 % 4 WHERE place = ?1" }, FALSE },
  { { "UPDATE entry SET table_id = 1 + ?3 % 4, place = place % (1 << 40) + (((1 + ?3 % 4) << 40))"
      " + 5000 WHERE place = ?1" },
    FALSE },
  { { "UPDATE entry SET table_id = -table_id, place = -place" }, FALSE },
  { { "INSERT INTO entry SELECT place + 100000, table_id, randomblob (16), name, expires, value"
      " FROM entry WHERE place = ?1" },
    FALSE },
  { { "DELETE FROM entry" }, FALSE },
  /* tables */
  { { "UPDATE tables SET floor = ?3 WHERE id % 2 = ?4 % 2" }, FALSE },
  { { "UPDATE tables SET floor = 1" }, FALSE },
  { { "UPDATE tables SET floor = (1 << 40) - 1 - ?3 % 5 WHERE id > ?4 % 3" }, FALSE },
  { { "UPDATE tables SET holes = ?3 WHERE id % 2 = ?4 % 2" }, FALSE },
  { { "UPDATE tables SET holes = max (holes + ?3 % 3 - 1, 0)" }, FALSE },
  { { "UPDATE tables SET holes = -holes, floor = -floor" }, FALSE },
  { { "UPDATE tables SET id = id + 1000 WHERE id > 1",
      "UPDATE tables SET id = 3 WHERE id = 1004",
      "UPDATE tables SET id = 4 WHERE id = 1003" },
    FALSE },
  { { "CREATE TEMP TABLE kept AS SELECT token, name FROM tables WHERE id = 3",
      "UPDATE tables SET token = X'77', name = (SELECT name FROM tables WHERE id = 4) WHERE id = 3",
      "UPDATE tables SET (token, name) = (SELECT * FROM kept) WHERE id = 4",
      "DROP TABLE kept" },
    FALSE },
  { { "UPDATE tables SET token = randomblob (?3 % 50) WHERE id = 2 + ?4 % 3" }, FALSE },
  { { "UPDATE tables SET token = X'00' WHERE id = 3 + ?4 % 2" }, FALSE },
  { { "UPDATE tables SET name = randomblob (?3 % 50) WHERE id = 2 + ?4 % 3" }, FALSE },
  { { "UPDATE tables SET mark = randomblob (?3 % 70) WHERE id = 1 + ?4 % 3" }, FALSE },
  { { "UPDATE tables SET mark = (SELECT mark FROM tables WHERE id = 3) WHERE id = 1 + ?4 % 4" },
    FALSE },
  { { "UPDATE tables SET id = ?3 WHERE id = 3" }, FALSE },
  { { "UPDATE tables SET id = -id WHERE id > 1" }, FALSE },
  /* but the greatest, behind which ids are given out */
  { { "DELETE FROM tables WHERE id = 1 + ?4 % 3" }, FALSE },
  { { "INSERT INTO tables SELECT 9223372036854775807, token || X'41', name, mark, floor, holes"
      " FROM tables WHERE id = 3" },
    FALSE },
  { { "INSERT INTO tables SELECT 5 + ?4 % 9000000, token || X'41', name, mark, floor, holes"
      " FROM tables WHERE id = 3" },
    FALSE },
  /* the rest */
  { { "UPDATE store SET header = substr (header, 1, ?3 % 200)" }, FALSE },
  { { "UPDATE store SET header = substr (header, 1, ?3 % 150) || X'00'"
      " || substr (header, 2 + ?3 % 150)" },
    FALSE },
  { { "UPDATE store SET header = randomblob (?3 % 300)" }, FALSE },
  { { "DELETE FROM store" }, FALSE },
  { { "PRAGMA user_version = 9" }, FALSE },
  { { "PRAGMA application_id = 9" }, FALSE },
  { { "DROP INDEX entry_expires" }, FALSE },
  { { "CREATE TABLE other (a)" }, FALSE },
  { { "CREATE TRIGGER own AFTER INSERT ON entry BEGIN DELETE FROM entry; END" }, FALSE },
  { { "CREATE VIEW own AS SELECT randomblob (1000000000)" }, FALSE },
  { { "ALTER TABLE entry ADD COLUMN own" }, FALSE },
};

static gint64
pick_place (sqlite3 *handle, GRand *rand)
{
  sqlite3_stmt *statement = NULL;
  gint64 place = 0;

  sqlite3_prepare_v2 (handle, "SELECT place FROM entry LIMIT 1 OFFSET ?1", -1, &statement, NULL);
  sqlite3_bind_int64 (statement, 1, damage_pick (rand, 300));
  if (sqlite3_step (statement) == SQLITE_ROW)
    place = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  return place;
}

static gint64
pick_number (GRand *rand)
{
  static const gint64 telling[] = { 0,           1,
                                    2,           3,
                                    4,           255,
                                    4096,        G_MAXINT32,
                                    G_MAXUINT32, G_GINT64_CONSTANT (1) << 40,
                                    G_MAXINT64,  G_MININT64 + 1 };

  if (damage_pick (rand, 2) == 0)
    return telling[damage_pick (rand, G_N_ELEMENTS (telling))];
  return damage_pick (rand, 100000);
}

static void
run (sqlite3 *handle, const char *sql, const gint64 numbers[4])
{
  sqlite3_stmt *statement = NULL;

  /* a change of before may have taken away what it is about */
  if (sqlite3_prepare_v2 (handle, sql, -1, &statement, NULL) != SQLITE_OK)
    return;
  for (int i = 0; i < sqlite3_bind_parameter_count (statement); i++)
    sqlite3_bind_int64 (statement, i + 1, numbers[i]);
  sqlite3_step (statement);
  sqlite3_finalize (statement);
}

void
damage_rows (Damage *self, GRand *rand)
{
  sqlite3 *handle = image_open (self->file);

  for (guint n = 1 + damage_pick (rand, 2) * damage_pick (rand, MAX_STEPS); n > 0; n--)
    {
      const Change *change = &changes[damage_pick (rand, G_N_ELEMENTS (changes))];
      const gint64 numbers[] = {
        pick_place (handle, rand),
        pick_place (handle, rand),
        pick_number (rand),
        damage_pick (rand, 100),
      };

      for (guint i = 0; i < G_N_ELEMENTS (change->sql) && change->sql[i] != NULL; i++)
        {
          run (handle, change->sql[i], numbers);
          g_string_append_printf (self->what, "\n  %s", change->sql[i]);
        }
      g_string_append_printf (self->what,
                              "\n  of %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                              ", %" G_GINT64_FORMAT ";",
                              numbers[0],
                              numbers[1],
                              numbers[2],
                              numbers[3]);
      g_array_append_vals (self->places, numbers, 2);
      self->is_local = self->is_local && change->is_local;
    }
  g_byte_array_unref (self->file);
  self->file = image_take (handle);
}
