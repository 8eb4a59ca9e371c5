/* dsq-pickle-graph.c - how deep and how heavy values are that share parts
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "pickle/dsq-pickle-calls-private.h"
#include "pickle/dsq-pickle-weights-private.h"

/*
 * A few bytes can name the same value twice in the next, fifty times over: whoever hashes, compares
 * or prints that visits 2^50 items. So each node has four weights, in which what it holds twice
 * counts twice:
 *
 *   whole   all it holds: who prints or compares it visits that
 *   hashed  what hashing it visits: of a list in it, which is not hashed, only that it is one
 *   listed  that of what it holds: a set made of it hashes each item
 *   paired  that of what is in those: a dict made of pairs hashes the first of each
 *
 * A key is hashed when it is inserted. The arguments of a call may be walked through in each of
 * these ways; of its state two levels are copied.
 *
 * One walk in depth, without recursion, visits each node and edge once. A node that is met again
 * below itself, in a cycle, counts as one item there: that is where repr() stops, too.
 */

enum
{
  HASHED,
  LISTED,
  PAIRED,
  N_LEVELS,
};

typedef struct
{
  guint64 whole; /* 0: not visited */
  guint64 levels[N_LEVELS];
  guint32 edge;   /* while it is open: the next edge to follow, as in the node */
  guint32 parent; /* while it is open: the node that it was met from */
  guint16 depth;
  guint8 is_open;
  guint8 is_cyclic; /* it reaches a cycle */
} Visit;

#define NO_PARENT     G_MAXUINT32
#define FEW_INSTANCES 256 /* whatever they are, they take no megabyte */

static inline guint64
add (guint64 a, guint64 b)
{
  return a > G_MAXUINT64 - b ? G_MAXUINT64 : a + b;
}

static void
open_visit (const DsqPickleMachine *self, Visit *visits, guint32 index, guint32 parent)
{
  guint64 weight = self->nodes.at[index].weight;

  visits[index] = (Visit){ .whole = weight,
                           .levels = { weight, weight, weight },
                           .edge = self->nodes.at[index].edges,
                           .parent = parent,
                           .is_open = TRUE };
}

/* What hashing the child of a visited node takes. */
static guint64
hashed (const DsqPickleMachine *self, const Visit *visits, guint32 index)
{
  switch (self->nodes.at[index].kind)
    {
    case DSQ_PICKLE_LIST:
    case DSQ_PICKLE_DICT:
    case DSQ_PICKLE_SET:
      return DSQ_PICKLE_VALUE_WEIGHT;
    case DSQ_PICKLE_INSTANCE:
      return visits[index].is_open ? DSQ_PICKLE_VALUE_WEIGHT : visits[index].whole;
    default:
      return visits[index].is_open ? DSQ_PICKLE_VALUE_WEIGHT : visits[index].levels[HASHED];
    }
}

/* What the child at the visit's edge adds, once that is known. */
static gboolean
add_child (DsqPickleMachine *self, Visit *visits, guint32 index)
{
  Visit *visit = &visits[index];
  const DsqPickleEdge *edge = &self->edges.at[visit->edge - 1];
  const Visit *child = &visits[edge->child];
  guint64 key = hashed (self, visits, edge->child);

  visit->edge = edge->next;
  visit->levels[HASHED] = add (visit->levels[HASHED], key);
  visit->is_cyclic |= child->is_open | child->is_cyclic;
  if (child->is_open)
    {
      visit->whole = add (visit->whole, DSQ_PICKLE_VALUE_WEIGHT);
      for (guint level = LISTED; level < N_LEVELS; level++)
        visit->levels[level] = add (visit->levels[level], self->nodes.at[edge->child].weight);
    }
  else
    {
      visit->whole = add (visit->whole, child->whole);
      for (guint level = LISTED; level < N_LEVELS; level++)
        visit->levels[level] = add (visit->levels[level], child->levels[level - 1]);
      visit->depth = MAX (visit->depth, child->depth + 1);
    }

  if (visit->depth > DSQ_PICKLE_MAX_DEPTH)
    return dsq_pickle_fail (self, "it is nested too deeply");
  if (visit->whole > DSQ_PICKLE_MAX_WEIGHT (self->length))
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
      if (visits[child].whole == 0)
        {
          open_visit (self, visits, child, index);
          index = child;
        }
      else if (!add_child (self, visits, index))
        return FALSE;
    }
  return TRUE;
}

/* Walks as repr() does: along each path that does not meet itself. Of n lists that hold each other
 * there are n! such paths. What is the state of an instance is not printed. */
static gboolean
walk_as_repr (DsqPickleMachine *self, Visit *visits)
{
  guint64 n_steps = DSQ_PICKLE_MAX_STEPS (self->length);
  guint32 index = self->stack.at[0].index;

  if (self->stack.at[0].kind < DSQ_PICKLE_LIST || !visits[index].is_cyclic)
    return TRUE;
  visits[index].parent = NO_PARENT;
  visits[index].is_open = TRUE;
  visits[index].edge = self->nodes.at[index].edges;
  while (index != NO_PARENT)
    {
      Visit *visit = &visits[index];
      const DsqPickleEdge *edge;

      if (visit->edge == 0)
        {
          visit->is_open = FALSE;
          index = visit->parent;
          continue;
        }
      if (n_steps-- == 0)
        return dsq_pickle_fail (self, "it prints without end");
      edge = &self->edges.at[visit->edge - 1];
      visit->edge = edge->next;
      if (edge->role == DSQ_PICKLE_AS_STATE || visits[edge->child].is_open ||
          !visits[edge->child].is_cyclic)
        continue;
      visits[edge->child].parent = index;
      visits[edge->child].is_open = TRUE;
      visits[edge->child].edge = self->nodes.at[edge->child].edges;
      index = edge->child;
    }
  return TRUE;
}

/* --- what calls copy -------------------------------------------------------------------------- */

/* What a state takes that is copied into an instance: of a dict its places, of others two levels.
 */
static guint64
weigh_state (const DsqPickleMachine *self, guint32 index)
{
  const DsqPickleNode *node = &self->nodes.at[index];
  guint64 weight = node->weight;

  if (node->kind == DSQ_PICKLE_DICT)
    return 4 * DSQ_PICKLE_VALUE_WEIGHT * (guint64) (1 + node->n_keys);
  for (guint32 at = node->edges; at != 0; at = self->edges.at[at - 1].next)
    {
      const DsqPickleNode *child = &self->nodes.at[self->edges.at[at - 1].child];

      weight = add (weight,
                    child->kind == DSQ_PICKLE_DICT
                        ? 4 * DSQ_PICKLE_VALUE_WEIGHT * (guint64) (1 + child->n_keys)
                        : child->weight);
    }
  return weight;
}

/* The weights of an instance, and of keys that are instances, are told with their calls. */
static void
weigh_node (DsqPickleMachine *self, const Visit *visits, guint32 index)
{
  const DsqPickleNode *node = &self->nodes.at[index];
  DsqPickleCall *call = NULL;

  if (node->kind == DSQ_PICKLE_INSTANCE)
    call = dsq_pickle_call_at (self, node->items);
  for (guint32 at = node->edges; at != 0; at = self->edges.at[at - 1].next)
    {
      const DsqPickleEdge *edge = &self->edges.at[at - 1];

      if (edge->role == DSQ_PICKLE_AS_ARGUMENTS)
        call->given = add (call->given, visits[edge->child].levels[PAIRED]);
      else if (edge->role == DSQ_PICKLE_AS_STATE)
        call->copied = add (call->copied, weigh_state (self, edge->child));
      else if (edge->role == DSQ_PICKLE_AS_KEY &&
               self->nodes.at[edge->child].kind == DSQ_PICKLE_INSTANCE)
        {
          DsqPickleCall *key = dsq_pickle_call_at (self, self->nodes.at[edge->child].items);

          key->hashed = add (key->hashed, visits[edge->child].whole);
        }
      else if (edge->role == DSQ_PICKLE_AS_KEY)
        self->key_weight = add (self->key_weight, hashed (self, visits, edge->child));
    }
}

gboolean
dsq_pickle_weigh (DsqPickleMachine *self)
{
  g_autofree Visit *visits = NULL;
  gboolean needs_visits;

  if (self->built > DSQ_PICKLE_MAX_BUILT (self->length))
    return dsq_pickle_fail (self, "its containers take too much memory");
  /* where nothing is shared each node is copied twice at most, as an item of a pair */
  needs_visits =
      self->is_shared ||
      (self->n_instances > 0 &&
       (self->calls->is_heavy || 2 * self->weight > DSQ_PICKLE_MAX_COPIED (self->length)));
  self->has_weights = self->n_instances > FEW_INSTANCES || (self->n_instances > 0 && needs_visits);
  if (!needs_visits)
    return TRUE;

  visits = g_new0 (Visit, self->nodes.n);
  for (guint32 i = 0; i < self->nodes.n; i++)
    if (visits[i].whole == 0 && !visit (self, visits, i))
      return FALSE;
  for (guint32 i = 0; i < self->nodes.n; i++)
    weigh_node (self, visits, i);
  if (self->key_weight > DSQ_PICKLE_MAX_KEY_WEIGHT (self->length))
    return dsq_pickle_fail (self, dsq_pickle_heavy_keys);
  return walk_as_repr (self, visits);
}
