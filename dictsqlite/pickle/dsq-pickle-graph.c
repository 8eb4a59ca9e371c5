/* dsq-pickle-graph.c - how deep and how heavy values are that share parts
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "pickle/dsq-pickle-machine-private.h"

/*
 * A few bytes can name the same tuple twice in the next, fifty times over: whoever hashes, compares
 * or prints that visits 2^50 items. A node's weight is therefore taken as that of all it holds,
 * what it holds twice twice. A key is hashed when it is inserted, so each insertion adds the key's
 * weight to another sum; and what goes to a call may be walked through there, hashed or copied, so
that calls have a sum of their own.
 *
 * One walk in depth, without recursion, visits each node and edge once. A node that is met again
 * below itself, in a cycle, counts as one item there: that is where repr() stops, too.
 */

typedef struct
{
  guint64 weight; /* of all it holds; 0: not visited */
  guint32 edge;   /* while it is open: the next edge to follow, as in the node */
  guint32 parent; /* while it is open: the node that it was met from */
  guint16 depth;
  guint8 is_open;
} Visit;

#define NO_PARENT G_MAXUINT32

const char dsq_pickle_heavy_keys[] = "its keys take too long to hash";

static guint64
add (guint64 a, guint64 b)
{
  return a > G_MAXUINT64 - b ? G_MAXUINT64 : a + b;
}

static void
open_visit (const DsqPickleMachine *self, Visit *visits, guint32 index, guint32 parent)
{
  visits[index] = (Visit){ .weight = self->nodes.at[index].weight,
                           .edge = self->nodes.at[index].edges,
                           .parent = parent,
                           .is_open = TRUE };
}

/* What the child at the visit's edge adds, once that is known. */
static gboolean
add_child (DsqPickleMachine *self, Visit *visits, guint32 index)
{
  const DsqPickleEdge *edge = &self->edges.at[visits[index].edge - 1];
  const Visit *child = &visits[edge->child];
  guint64 weight = child->is_open ? 1 : child->weight;

  visits[index].edge = edge->next;
  visits[index].weight = add (visits[index].weight, weight);
  if (!child->is_open)
    visits[index].depth = MAX (visits[index].depth, child->depth + 1);
  if (edge->is_key)
    self->key_weight = add (self->key_weight, weight);
  if (self->nodes.at[index].kind == DSQ_PICKLE_INSTANCE)
    self->call_weight = add (self->call_weight, weight);

  if (visits[index].depth > DSQ_PICKLE_MAX_DEPTH)
    return dsq_pickle_fail (self, "it is nested too deeply");
  if (visits[index].weight > DSQ_PICKLE_MAX_WEIGHT (self->length))
    return dsq_pickle_fail (self, "it holds a value too many times over");
  return TRUE;
}

static gboolean
visit (DsqPickleMachine *self, Visit *visits, guint32 start)
{
  guint32 index = start;

  open_visit (self, visits, start, NO_PARENT);
  while (index != NO_PARENT)
    {
      guint32 edge = visits[index].edge;
      guint32 child;

      if (edge == 0)
        {
          visits[index].is_open = FALSE;
          index = visits[index].parent;
          continue;
        }
      child = self->edges.at[edge - 1].child;
      if (visits[child].weight == 0)
        {
          open_visit (self, visits, child, index);
          index = child;
        }
      else if (!add_child (self, visits, index))
        return FALSE;
    }
  return TRUE;
}

gboolean
dsq_pickle_weigh (DsqPickleMachine *self)
{
  if (self->is_shared)
    {
      g_autofree Visit *visits = g_new0 (Visit, self->nodes.n);

      for (guint32 i = 0; i < self->nodes.n; i++)
        if (visits[i].weight == 0 && !visit (self, visits, i))
          return FALSE;
    }
  if (self->call_weight > DSQ_PICKLE_MAX_WEIGHT (self->length))
    return dsq_pickle_fail (self, "its calls are given a value too many times over");
  if (self->key_weight > DSQ_PICKLE_MAX_KEY_WEIGHT (self->length))
    return dsq_pickle_fail (self, dsq_pickle_heavy_keys);
  return TRUE;
}
